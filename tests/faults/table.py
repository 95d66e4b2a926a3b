"""The fault table: every way a provider can fail, in every form of call, and what became of it."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import httpx2
from django.db import transaction

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance
from tests.fakes.addresses import ADDRESSES
from tests.fakes.faults import FAULTS
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

# The call's own dialect is chat but for a response, which the provider is asked for as a chat.
STREAM, PLAIN, RESPONSE_STREAM, RESPONSE, IMAGE = FORMS = ("stream", "plain", "response stream", "response", "image")
AT_ONCE = 50  # calls; most of them wait for a deadline
PATIENCE = 60.0  # seconds until a call counts as hanging

# What the gateway waits for, in seconds: short, so that the table is quick.
DEADLINES = {
    "UPSTREAM_CONNECT_SECONDS": "2",
    "UPSTREAM_FIRST_BYTE_SECONDS": "3",
    "UPSTREAM_BETWEEN_SECONDS": "3",
    "UPSTREAM_TOTAL_SECONDS": "12",  # a flood is to be read up to its bound meanwhile, on a crowded machine too
    "PING_SECONDS": "60",  # a ping begins a stream, and what fails after that has no status any more
    "MAX_PARALLEL_CALLS": "0",
    "MAX_ATTEMPTS_PER_HOUR": "0",
}
# What can only happen to a stream.
_ONLY_STREAM = {
    "bytes-in-event",
    "carriage-returns",
    "comments-only",
    "cut",
    "data-after-done",
    "done-alone",
    "done-twice",
    "drips-bytes",
    "ends-without-framing",
    "error-after-done",
    "error-without-data",
    "filtered-late",
    "garbage-late",
    "in-band-late",
    "list-as-event",
    "long-line-late",
    "nan-in-event",
    "no-done",
    "no-finish",
    "resets-before-done",
    "resets-in-character",
    "role-for-ever",
    "same-id-twice",
    "split",
    "stalls",
    "stalls-after-done",
    "talks-for-ever",
    "truncated-event",
    "breaks",
    "breaks-early",
    "nothing-at-all",
}
_ENDINGS = ("response.completed", "response.incomplete")
_CHAT: dict[str, object] = {"messages": [{"role": "user", "content": "Hi"}]}
# Where each form is asked for, and with what.
ASKED: dict[str, tuple[str, dict[str, object]]] = {
    STREAM: ("/chat/completions", {**_CHAT, "stream": True}),
    PLAIN: ("/chat/completions", _CHAT),
    RESPONSE_STREAM: ("/responses", {"input": "Hi", "stream": True}),
    RESPONSE: ("/responses", {"input": "Hi"}),
    IMAGE: ("/images/generations", {"prompt": "a harbor"}),
}
_NOT_HERE = {"echo", "slow", "unhurried", "firehose", "tools", "resets-once", "fails-once", "image-partial"}


@dataclass(frozen=True)
class Seen:
    """What a caller saw of one call: a status and a code; `is_begun` when the code came in the middle of a stream."""

    status: int
    code: str = ""
    is_begun: bool = False
    is_answered: bool = False
    request_id: str = ""

    def __str__(self) -> str:
        if self.is_answered:
            return "answer"
        if self.is_begun:
            return f"event {self.code}" if self.code else "cut"
        return f"{self.status} {self.code}"


@dataclass(frozen=True)
class Case:
    """One cell of the table before it is filled."""

    fault: str
    form: str

    @property
    def model(self) -> str:
        is_both = self.form == IMAGE and not self.fault.startswith("image-")
        return f"image-{self.fault}" if is_both else self.fault


def list_cases() -> list[Case]:
    """Every fault in every form it can take."""
    named = {name.removeprefix("image-") if _is_general(name) else name for name in FAULTS}
    faults = sorted((named | set(ADDRESSES)) - _NOT_HERE)
    return [Case(fault, form) for fault in faults for form in FORMS if _has(fault, form)]


def _is_general(name: str) -> bool:
    return name.startswith("image-") and name.removeprefix("image-") in FAULTS


def _has(fault: str, form: str) -> bool:
    is_general = fault in ADDRESSES or f"image-{fault}" in FAULTS
    if form == IMAGE:
        return is_general or fault.startswith("image-")
    if form in (RESPONSE_STREAM, RESPONSE) and is_general and fault != "good":
        return False  # the same whatever was asked for: it is not asked for in every dialect
    return not fault.startswith("image-") and (form in (STREAM, RESPONSE_STREAM) or fault not in _ONLY_STREAM)


def run(server: Server, cases: Iterable[Case]) -> dict[Case, str]:
    """Every case, each by a person of its own; what became of it, as a cell of the table says it.

    A "but" follows where the record or the counters say something else.
    """
    cases = list(cases)
    keys = make_keys(len(cases))
    seen = asyncio.run(_ask_all(server, cases, keys))
    _wait_for_records(len(cases))
    records = {record.call_id: record for record in UsageRecord.objects.all()}
    books = {row.user_id: (row.used, row.held) for row in Allowance.objects.all()}
    return {case: _cell(case, found, records, books) for case, found in zip(cases, seen, strict=True)}


def _wait_for_records(count: int) -> None:
    """A slow machine may still be writing when the last caller has gone. Another process does: no event tells of it."""
    latest = time.monotonic() + PATIENCE
    while UsageRecord.objects.count() < count and time.monotonic() < latest:
        time.sleep(0.1)


def make_keys(count: int) -> list[str]:
    """Keys of so many people."""
    with transaction.atomic():
        return [_make_key(number) for number in range(count)]


def _make_key(number: int) -> str:
    person = User.objects.create_user(f"caller{number}@example.edu", name="Caller")
    return create_api_key(user_id=person.id, name="faults")[1]


async def _ask_all(server: Server, cases: list[Case], keys: list[str]) -> list[Seen]:
    room = asyncio.Semaphore(AT_ONCE)
    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=server.api, timeout=PATIENCE, limits=limits) as web:

        async def ask_in_turn(case: Case, key: str) -> Seen:
            async with room:
                return await ask(web, case, key)

        return await asyncio.gather(*(ask_in_turn(case, key) for case, key in zip(cases, keys, strict=True)))


async def ask(web: httpx2.AsyncClient, case: Case, key: str) -> Seen:
    """Make the call of a case, and look at what comes back as a careful client does."""
    path, body = ASKED[case.form]
    answer = await web.post(path, json={"model": case.model, **body}, headers={"authorization": f"Bearer {key}"})
    if answer.status_code == 503 and '"unavailable"' in answer.text:  # a crowd at the ledger: nothing was admitted
        await asyncio.sleep(1)
        return await ask(web, case, key)
    request_id = answer.headers["x-request-id"]
    if not answer.headers["content-type"].startswith("text/event-stream"):
        error = answer.json().get("error")
        code = _code(error) if error else ""
        return Seen(answer.status_code, code, is_answered=not error and answer.is_success, request_id=request_id)
    events = [line for line in answer.text.split("\n\n") if not line.startswith(":") and line]
    assert answer.text.endswith("\n\n"), answer.text[-100:]
    code = _end_of_response(events) if case.form == RESPONSE_STREAM else _end_of_chat(events)
    return Seen(200, code, is_begun=bool(code), is_answered=not code, request_id=request_id)


def _end_of_chat(events: list[str]) -> str:
    """The code of the error at the end of a stream; "" at a proper end."""
    *earlier, last = [event.removeprefix("data: ") for event in events]
    assert all(json.loads(event)["object"] == "chat.completion.chunk" for event in earlier)
    return "" if last == "[DONE]" else _code(json.loads(last)["error"])


def _end_of_response(events: list[str]) -> str:
    """The code of the error at the end of a stream; "" at a proper end."""
    *earlier, last = [json.loads(event.partition("data: ")[2]) for event in events]
    assert [event["sequence_number"] for event in earlier] == list(range(len(earlier)))
    assert not any(event["type"] in _ENDINGS for event in earlier)
    return "" if last.get("type") in _ENDINGS else _code(last["error"])


def _code(error: dict[str, object]) -> str:
    """The code of an error that has OpenAI's shape, and nothing of the provider's in it."""
    assert error.keys() == {"message", "type", "param", "code"}, error
    assert all(isinstance(error[name], str) for name in ("message", "type", "code")), error
    return str(error["code"])


def _cell(case: Case, seen: Seen, records: dict[UUID, UsageRecord], books: dict[int | None, tuple[int, int]]) -> str:
    record = records.get(UUID(seen.request_id))
    if record is None:
        return f"{seen} but not recorded"
    outcome = Outcome.SERVED if seen.is_answered else Outcome.UPSTREAM_FAILED
    is_true = (record.outcome, record.code) == (outcome, seen.code) and books[record.user_id] == (record.prompts, 0)
    doubt = "" if is_true else f" but recorded as {record.outcome} {record.code}, counted as {books[record.user_id]}"
    return f"{seen}, {record.prompts}{doubt}"


def render(cells: dict[Case, str]) -> list[tuple[str, ...]]:
    """The rows of the table: the fault, then its cell in each form, "–" where there is none."""
    faults = dict.fromkeys(case.fault for case in cells)
    return [(fault, *(cells.get(Case(fault, form), "–") for form in FORMS)) for fault in faults]
