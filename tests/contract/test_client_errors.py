"""Every error there is, as the official client meets it: its own exception, with its code and request id (C10)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from accounts.services import create_api_key, suspend_person
from policies.models import AccessRule
from policies.selectors import list_outstanding
from policies.services import acknowledge, install_clauses
from quotas.services import set_quota
from tests.contract.test_faulty_providers import faulty, patient_server, read_promises
from tests.fakes.upstream import FakeUpstream
from tests.faults import table
from tests.faults.length import how_many
from tests.faults.outages import wait_until
from tests.servers import Server, running_server

__all__ = ["faulty", "patient_server"]  # fixtures

KINDS = {
    400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
    409: "ConflictError", 422: "UnprocessableEntityError", 429: "RateLimitError",
}  # fmt: skip
HELLO = [{"role": "user", "content": "Hi"}]
IDEMPOTENT = "idempotency-key"


@dataclass(frozen=True)
class Call:
    """One call of a client as its program would write it."""

    key: str
    body: dict[str, Any]
    operation: str = "chat"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Met:
    """The exception a program met; no `kind` when it met none."""

    kind: str
    status: int
    code: str
    request_id: str | None = None
    why: str = ""


async def _ask(client: openai.AsyncOpenAI, call: Call) -> object:
    if call.operation == "response":
        return await client.responses.create(**call.body)
    return await client.chat.completions.create(
        model=call.body["model"],
        messages=call.body["messages"],
        extra_headers=call.headers,
        extra_body={name: call.body[name] for name in call.body if name not in ("model", "messages")},
        stream=call.body.get("stream", False),
    )


def make(server: Server, calls: Sequence[Call], *, retries: int = openai.DEFAULT_MAX_RETRIES) -> list[Met]:
    async def make_one(call: Call) -> Met:
        async with openai.AsyncOpenAI(base_url=server.api, api_key=call.key, timeout=60, max_retries=retries) as client:
            try:
                if call.operation == "get":
                    await client.get(call.body["path"], cast_to=object)
                elif call.operation == "image":
                    await client.images.generate(**call.body, extra_headers=call.headers)
                else:
                    answer = await _ask(client, call)
                    if isinstance(answer, openai.AsyncStream):
                        async for _chunk in answer:
                            pass
            except openai.APIError as error:
                status = error.status_code if isinstance(error, openai.APIStatusError) else 0
                request_id = error.request_id if isinstance(error, openai.APIStatusError) else None
                return Met(type(error).__name__, status, error.code or "", request_id, repr(error))
        return Met("", 200, "")

    async def make_all() -> list[Met]:
        return await asyncio.gather(*map(make_one, calls))

    return asyncio.run(make_all())


# ---- every code of docs/errors.md that a call of /v1 can meet -------------------------------------------------------


@pytest.fixture
def strict_server(offered: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    limits = {"OPENAI_BASE_URL": offered.base_url, "MAX_PARALLEL_CALLS": "1", "MAX_REQUEST_BYTES": "200000"}
    with running_server(tmp_path, environment={**limits, "UPSTREAM_FIRST_BYTE_SECONDS": "2"}) as server:
        yield server


@pytest.fixture
def keys(strict_server: Server) -> dict[str, str]:
    """Keys of people who differ in what stands in their way; each plain one calls once, for calls are one at a time."""
    install_clauses()
    keys = {}
    for name in ("plain", "spent", "suspended", "new", *(f"plain{number}" for number in range(10))):
        person = User.objects.create_user(f"{name}@example.edu", name=name)
        keys[name] = create_api_key(user_id=person.pk, name="laptop")[1]
        if name != "new":
            for version in list_outstanding(person.pk):
                acknowledge(user_id=person.pk, version_id=version.pk, language="en")
    set_quota(limit=0, user_id=User.objects.get(name="spent").pk)
    suspend_person(user_id=User.objects.get(name="suspended").pk)
    AccessRule.objects.create(model="no-usage")
    return keys


def list_refusals(keys: dict[str, str]) -> dict[str, tuple[int, Call]]:
    """By code its status, and a call that meets it."""

    def chat(key: str, model: str = "good", **more: object) -> Call:
        return Call(keys[key], {"model": model, "messages": HELLO, **more})

    used = {IDEMPOTENT: "used"}
    return {
        "invalid_api_key": (401, Call("cak_nothing", {"model": "good", "messages": HELLO})),
        "account_suspended": (403, chat("suspended")),
        "acknowledgment_required": (403, chat("new")),
        "policy_refused": (403, chat("plain0", "no-usage")),
        "model_not_found": (404, chat("plain0", "nothing")),
        "not_found": (404, Call(keys["plain0"], {"path": "/nothing"}, "get")),
        "invalid_request": (400, chat("plain0", api_base="http://127.0.0.1:9")),
        "request_too_large": (413, chat("plain0", user="x" * 300_000)),
        "insufficient_quota": (429, chat("spent")),
        "content_filter": (400, chat("plain1", "content-filter")),
        "idempotency_key_reused": (422, Call(keys["plain2"], {"model": "echo", "messages": HELLO}, headers=used)),
    }


def list_failures(keys: dict[str, str]) -> dict[str, tuple[int, Call]]:
    """What passes, so that clients may ask again: they do so twice, or as often as `retry-after` lets them."""

    def chat(key: str, model: str, **headers: str) -> Call:
        return Call(keys[key], {"model": model, "messages": HELLO}, headers=headers)

    return {
        "rate_limit_exceeded": (429, chat("plain", "good")),
        "upstream_error": (502, chat("plain3", "error-500")),
        "upstream_timeout": (504, chat("plain4", "silent")),
        "upstream_busy": (503, chat("plain5", "error-429")),
    }  # fmt: skip


def test_c10_every_documented_error_is_the_clients_own_exception_and_no_refusal_is_asked_for_twice(
    strict_server: Server, keys: dict[str, str], offered: FakeUpstream
) -> None:
    refusals, failures = list_refusals(keys), list_failures(keys)
    before = Call(keys["plain2"], {"model": "good", "messages": HELLO}, headers={IDEMPOTENT: "used"})
    wait_until(lambda: make(strict_server, [before]) == [Met("", 200, "")])
    headers = {"authorization": f"Bearer {keys['plain']}"}
    body = {"model": "stalls", "stream": True, "messages": HELLO}
    expected = {**refusals, **failures}
    with httpx2.stream("POST", f"{strict_server.api}/chat/completions", json=body, headers=headers, timeout=60):
        met = dict(zip(expected, make(strict_server, [call for _, call in expected.values()]), strict=True))

    for code, (status, _call) in expected.items():
        kind = KINDS.get(status, "InternalServerError" if status >= 500 else "APIStatusError")
        assert (met[code].kind, met[code].status, met[code].code) == (kind, status, code), met[code]
        assert met[code].request_id, code
    wait_until(lambda: count_told(strict_server).get("upstream_busy"))
    told = count_told(strict_server)
    assert {code: told[code] for code in refusals} == dict.fromkeys(refusals, 1)
    assert all(1 <= told[code] <= 3 for code in failures), told


def count_told(server: Server) -> dict[str, int]:
    """How often each error was told, as the server counts it."""
    text = httpx2.get(f"{server.address}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {one.labels["code"]: int(one.value) for one in families["gateway_errors"].samples if "code" in one.labels}


# ---- every fault of a provider --------------------------------------------------------------------------------------

EVERY = how_many(8, 1)  # of the table: the long form makes all its calls


def test_c10_every_fault_of_a_provider_is_an_exception_or_an_answer_and_never_a_false_end(
    patient_server: Server,
) -> None:
    """Which error it is, docs/faults.md says, and another test; here it is whether programs are told of one at all."""
    promised = {row[0]: dict(zip(table.FORMS, row[1:], strict=True)) for row in read_promises()}
    cases = table.list_cases()[::EVERY]
    calls = [call_of(case, key) for case, key in zip(cases, table.make_keys(len(cases)), strict=True)]

    met = make(patient_server, calls, retries=0)  # one provider here asks for a minute between two tries

    for case, one in zip(cases, met, strict=True):
        if promised[case.fault][case.form].startswith("answer"):
            assert one.kind == "" or one.code in LATE, (case, one)
        elif one.status:
            kind = KINDS.get(one.status, "InternalServerError")
            assert (one.kind, bool(one.code), bool(one.request_id)) == (kind, True, True), (case, one)
        else:
            assert (one.kind, bool(one.code)) == ("APIError", True), (case, one)


LATE = ("upstream_timeout", "unavailable")  # what a crowded machine makes of an answer, behind short deadlines


def call_of(case: table.Case, key: str) -> Call:
    operations = {table.IMAGE: "image", table.RESPONSE_STREAM: "response", table.RESPONSE: "response"}
    _path, body = table.ASKED[case.form]
    return Call(key, {"model": case.model, **body}, operations.get(case.form, "chat"))
