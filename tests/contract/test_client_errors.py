"""Every error there is, as the official client meets it: its own exception, with its code and request id (C10)."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx2
import openai
import pytest
from django.db import OperationalError
from openai.types.chat import ChatCompletionMessageParam
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from accounts.services import create_api_key, suspend_person
from core import clock
from courses.services import create_course, enroll, publish_rule
from gateway.wire.openapi import describe
from policies.models import AccessRule
from policies.selectors import list_outstanding
from policies.services import acknowledge, create_notice, install_clauses
from policies.types import Level
from quotas.services import set_quota
from quotas.types import Period, Unit
from tests.architecture.source import ROOT
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
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
IDEMPOTENT = "idempotency-key"
HELD, STALLING = {IDEMPOTENT: "held"}, {"model": "stalls", "messages": HELLO, "stream": True}


def kind_of(status: int) -> str:
    """The exception that openai's client has for a status."""
    return KINDS.get(status, "InternalServerError" if status >= 500 else "APIStatusError")


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


def make(api: str, calls: Sequence[Call], *, retries: int = openai.DEFAULT_MAX_RETRIES) -> list[Met]:
    async def make_one(call: Call) -> Met:
        async with openai.AsyncOpenAI(base_url=api, api_key=call.key, timeout=60, max_retries=retries) as client:
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
def keys(strict_server: Server, ines: User) -> dict[str, str]:
    """Keys of people who differ in what stands in their way; each plain one calls once, for calls are one at a time."""
    install_clauses()
    keys = {}
    people = ("plain", "spent", "suspended", "new", "wordy", "moneyed", "student")
    for name in (*people, *(f"plain{number}" for number in range(10))):
        person = User.objects.create_user(f"{name}@example.edu", name=name)
        keys[name] = create_api_key(user_id=person.pk, name="laptop")[1]
        if name != "new":
            for version in list_outstanding(person.pk):
                acknowledge(user_id=person.pk, version_id=version.pk, language="en")
    spent, suspended, wordy, moneyed, student = (
        User.objects.get(name=name) for name in ("spent", "suspended", "wordy", "moneyed", "student")
    )
    set_quota(limit=0, user_id=spent.pk)
    suspend_person(user_id=suspended.pk)
    set_quota(limit=1, unit=Unit.TURNS, period=Period.CONVERSATION, user_id=wordy.pk)
    set_quota(limit=1_000_000, unit=Unit.MONEY, user_id=moneyed.pk)
    today = datetime.now(UTC).date()
    course = create_course(code="COMP1117", title="Computing", starts_on=today, ends_on=today + timedelta(days=90))
    enroll(course=course, user=student)
    publish_rule(course_id=course.pk, by_id=ines.pk, approach="free", allowed_tools=["chat"])
    AccessRule.objects.create(model="no-usage")
    return keys


def list_refusals(keys: Mapping[str, str]) -> dict[str, tuple[int, Call]]:
    """By code its status, and a call that meets it."""

    def chat(key: str, model: str = "good", **more: object) -> Call:
        return Call(keys[key], {"model": model, "messages": HELLO, **more})

    used, course = {IDEMPOTENT: "used"}, {"x-course": "COMP1117"}
    hello = {"model": "good", "messages": HELLO}
    return {
        "invalid_api_key": (401, Call("cak_nothing", hello)),
        "account_suspended": (403, chat("suspended")),
        "acknowledgment_required": (403, chat("new")),
        "rule_acknowledgment_required": (403, Call(keys["student"], hello, headers=course)),
        "policy_refused": (403, chat("plain0", "no-usage")),
        "model_without_price": (403, chat("moneyed")),
        "too_many_turns": (403, Call(keys["wordy"], {**hello, "messages": HELLO * 2})),
        "model_not_found": (404, chat("plain0", "nothing")),
        "not_found": (404, Call(keys["plain0"], {"path": "/nothing"}, "get")),
        "method_not_allowed": (405, Call(keys["plain0"], {"path": "/chat/completions"}, "get")),
        "invalid_request": (400, chat("plain0", api_base="http://127.0.0.1:9")),
        "request_too_large": (413, chat("plain0", user="x" * 300_000)),
        "insufficient_quota": (429, chat("spent")),
        "content_filter": (400, chat("plain1", "content-filter")),
        "idempotency_key_reused": (422, Call(keys["plain2"], {"model": "echo", "messages": HELLO}, headers=used)),
    }


def list_failures(keys: Mapping[str, str]) -> dict[str, tuple[int, Call]]:
    """What passes, so that clients may ask again: they do so twice, or as often as `retry-after` lets them."""

    def chat(key: str, model: str, **headers: str) -> Call:
        return Call(keys[key], {"model": model, "messages": HELLO}, headers=headers)

    return {
        "rate_limit_exceeded": (429, chat("plain", "good")),
        "idempotency_in_flight": (409, Call(keys["plain"], STALLING, headers=HELD)),
        "upstream_error": (502, chat("plain3", "error-500")),
        "upstream_timeout": (504, chat("plain4", "silent")),
        "upstream_busy": (503, chat("plain5", "error-429")),
    }  # fmt: skip


def test_c10_every_documented_error_is_the_clients_own_exception_and_no_refusal_is_asked_for_twice(
    strict_server: Server, keys: dict[str, str], offered: FakeUpstream
) -> None:
    refusals, failures = list_refusals(keys), list_failures(keys)
    before = Call(keys["plain2"], {"model": "good", "messages": HELLO}, headers={IDEMPOTENT: "used"})
    wait_until(lambda: make(strict_server.api, [before]) == [Met("", 200, "")])
    expected = {**refusals, **failures}
    with (
        openai.OpenAI(base_url=strict_server.api, api_key=keys["plain"]) as client,
        client.chat.completions.create(model="stalls", messages=HELLO, stream=True, extra_headers=HELD),
    ):
        met = dict(zip(expected, make(strict_server.api, [call for _, call in expected.values()]), strict=True))

    for code, (status, _call) in expected.items():
        assert_is(met[code], code, status)
    wait_until(lambda: count_told(strict_server).get("upstream_busy"))
    told = count_told(strict_server)
    assert {code: told[code] for code in refusals} == dict.fromkeys(refusals, 1)
    assert all(1 <= told[code] <= 3 for code in failures), told


def assert_is(met: Met, code: str, status: int) -> None:
    assert (met.kind, met.status, met.code) == (kind_of(status), status, code), met
    assert met.request_id, code


def count_told(server: Server) -> dict[str, int]:
    """How often each error was told, as the server counts it."""
    text = httpx2.get(f"{server.address}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {one.labels["code"]: int(one.value) for one in families["gateway_errors"].samples if "code" in one.labels}


def test_whoever_comes_while_the_doors_are_closed_is_told_once(strict_server: Server, saras_key: str) -> None:
    call = Call(saras_key, {"model": "good", "messages": HELLO})
    texts = dict.fromkeys(("text_en", "text_zh_hant", "text_zh_hans"), "Back soon.")
    create_notice(columns={**texts, "level": Level.MAINTENANCE, "ends_at": clock.now() + timedelta(minutes=10)})
    wait_until(lambda: make(strict_server.api, [call], retries=0)[0].code == "maintenance")
    told = count_told(strict_server)["maintenance"]

    [met] = make(strict_server.api, [call])

    assert_is(met, "maintenance", 503)
    assert count_told(strict_server)["maintenance"] == told + 1


# What no caller brings about: the status, what is put in place of what here, and a call that meets it.
LIST = Call("", {"path": "/models"}, "get")
INSIDE: dict[str, tuple[int, str, object, Call]] = {
    "internal_error": (500, "gateway.asgi.list_models_for", Mock(side_effect=ZeroDivisionError), LIST),
    "unavailable": (503, "gateway.asgi.list_models_for", Mock(side_effect=OperationalError), LIST),
    "request_timeout": (
        408, "gateway.wire.exchange._BODY_SECONDS", 0,
        Call("", {"model": "good", "messages": HELLO, "user": "x" * 3_000_000}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", INSIDE)
def test_what_goes_wrong_inside_is_the_clients_own_exception(
    site: str, saras_key: str, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    status, name, instead, call = INSIDE[code]
    monkeypatch.setattr(name, instead)

    [met] = make(f"{site}/v1", [replace(call, key=saras_key)], retries=0)

    assert_is(met, code, status)


ELSEWHERE = {
    "the root of all others, which nobody raises": {"error"},
    "a session's, and programs have keys": {"sign_in_required"},
    "the chat page's": {"answer_running", "lost"},
    "those of who reads or writes what is to be accepted": {"version_superseded", "already_published"},
    "files' that people import": {"unreadable_people", "unreadable_roster", "unreadable_quotas"},
    "those of pages where people are looked after": {"last_administrator", "too_many_keys", "over_approver_limit"},
    "purchases'": {"not_for_sale", "unbelievable_payment"},
}


def test_every_documented_code_is_met_here_or_told_elsewhere() -> None:
    nobody: defaultdict[str, str] = defaultdict(str)
    met = {*list_refusals(nobody), *list_failures(nobody), "maintenance", *INSIDE}
    elsewhere = set().union(*ELSEWHERE.values())
    documented = set(re.findall(r"(?m)^\| `(\w+)` \|", (ROOT / "docs" / "errors.md").read_text()))
    answers = describe()["paths"]["/v1/chat/completions"]["post"]["responses"].items()
    described = {code for status, answer in answers if status != "200" for code in answer["description"].split(", ")}

    assert met | elsewhere == documented
    assert met & elsewhere == set()
    assert described <= met


# ---- every fault of a provider --------------------------------------------------------------------------------------

EVERY = how_many(8, 1)  # of the table: the long form makes all its calls


def test_c10_every_fault_of_a_provider_is_an_exception_or_an_answer_and_never_a_false_end(
    patient_server: Server,
) -> None:
    """Which error it is, docs/faults.md says, and another test; here it is whether programs are told of one at all."""
    cases, calls = list_faults()

    check_faults(cases, make(patient_server.api, calls, retries=0))


def list_faults() -> tuple[list[table.Case], list[Call]]:
    """Faults in their forms, and for each a call that meets it. Nobody retries: one provider asks for a minute."""
    cases = table.list_cases()[::EVERY]
    return cases, [call_of(case, key) for case, key in zip(cases, table.make_keys(len(cases)), strict=True)]


def check_faults(cases: Sequence[table.Case], met: Sequence[Met]) -> None:
    """The program was told of each as docs/faults.md says, or had its answer."""
    promised = {row[0]: dict(zip(table.FORMS, row[1:], strict=True)) for row in read_promises()}
    for case, one in zip(cases, met, strict=True):
        if promised[case.fault][case.form].startswith("answer"):
            assert one.kind == "" or one.code in LATE, (case, one)
        elif one.status:
            assert (one.kind, bool(one.code), bool(one.request_id)) == (kind_of(one.status), True, True), (case, one)
        else:
            assert (one.kind, bool(one.code)) == ("APIError", True), (case, one)


LATE = ("upstream_timeout", "unavailable")  # what a crowded machine makes of an answer, behind short deadlines


def call_of(case: table.Case, key: str) -> Call:
    operations = {table.IMAGE: "image", table.RESPONSE_STREAM: "response", table.RESPONSE: "response"}
    _path, body = table.ASKED[case.form]
    return Call(key, {"model": case.model, **body}, operations.get(case.form, "chat"))
