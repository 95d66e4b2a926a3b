"""The last byte and the record agree: who is told that an answer is whole pays for it, and the other way round (D5)."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, OperationalError

from core.threads import hop
from gateway import relay, writer
from gateway.asgi import application
from gateway.types import Admission, Ending
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.gateway.test_exchange import Client
from usage.models import UsageRecord
from usage.types import Outcome


class Caller(Client):
    """A program that sends one call and stays."""

    def __init__(self, key: str, **body: object) -> None:
        super().__init__()
        self.body: bytes | None = json.dumps(
            {"model": "good", "messages": [{"role": "user", "content": "Hi"}], **body}
        ).encode()
        headers = {"host": "testserver", "authorization": f"Bearer {key}", "content-length": str(len(self.body))}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def receive(self) -> dict[str, Any]:
        body, self.body = self.body, None
        return await super().receive() if body is None else {"type": "http.request", "body": body}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_a_stop_between_an_answer_and_its_record_keeps_nobody_from_the_last_byte(
    offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    endings: list[Ending] = []
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    is_concluding = asyncio.Event()

    def conclude_later(_admission: Admission, ending: Ending) -> asyncio.Future[None]:
        endings.append(ending)
        is_concluding.set()
        return written

    monkeypatch.setattr(relay, "conclude_soon", conclude_later)
    caller = Caller(saras_key, stream=stream)
    async with relay.lifespan():
        call = asyncio.create_task(application(caller.scope, caller.receive, caller.send))
        await is_concluding.wait()
        call.cancel()  # as a server does whose grace is over
        await call
        written.set_result(None)

    told = b"".join(caller.bodies).decode()
    assert [ending.outcome for ending in endings] == [Outcome.SERVED]
    assert (
        told.endswith("data: [DONE]\n\n") if stream else json.loads(told)["choices"][0]["message"]["content"] == ANSWER
    )
    assert '"error"' not in told


async def test_a_record_that_does_not_come_is_not_waited_for_without_end(
    offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(relay, "conclude_soon", lambda _admission, _ending: written)
    monkeypatch.setattr(relay, "_PATIENCE", 0)
    caller = Caller(saras_key)
    async with relay.lifespan():
        await asyncio.wait_for(application(caller.scope, caller.receive, caller.send), timeout=10)
        written.set_result(None)

    assert json.loads(b"".join(caller.bodies))["choices"][0]["message"]["content"] == ANSWER


async def test_c14_an_answer_is_recorded_as_served_however_long_the_database_was_away_at_its_end(
    offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Exception | None] = [OperationalError("the connection is lost")] * 20 + [None]

    def conclude_at_last(admission: Admission, ending: Ending) -> asyncio.Future[None]:
        error = answers.pop(0)
        if error is None:
            return writer.conclude_soon(admission, ending)
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed

    monkeypatch.setattr(relay, "conclude_soon", conclude_at_last)
    monkeypatch.setattr(relay, "_PAUSES", (0, 0))
    caller = Caller(saras_key)
    async with relay.lifespan():  # which ends when everything is concluded
        await asyncio.wait_for(application(caller.scope, caller.receive, caller.send), timeout=10)

    record = await hop(UsageRecord.objects.get)
    assert (record.outcome, record.prompts) == (Outcome.SERVED, 1)


async def test_c14_a_call_that_cannot_be_concluded_for_another_reason_is_left_to_the_sweep(
    offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def fail(_admission: Admission, _ending: Ending) -> asyncio.Future[None]:
        nonlocal attempts
        attempts += 1
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failed.set_exception(IntegrityError("a bug of ours"))
        return failed

    monkeypatch.setattr(relay, "conclude_soon", fail)
    monkeypatch.setattr(relay, "_PAUSES", (0, 0))
    caller = Caller(saras_key)
    async with relay.lifespan():
        await asyncio.wait_for(application(caller.scope, caller.receive, caller.send), timeout=10)

    assert attempts == 3


async def test_c14_nobody_is_swept_right_after_the_database_was_away(
    saras_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []
    found: list[Exception | None] = [None, OperationalError("away"), None, None]

    def look(limit: int) -> list[UUID]:
        if error := found.pop(0):
            raise error
        return []

    monkeypatch.setattr(relay, "list_expired", look)
    monkeypatch.setattr("gateway.admission.sweep", lambda: swept.append("swept"))
    rounds = relay._Sweeping()

    await rounds.sweep()
    with pytest.raises(OperationalError):
        await rounds.sweep()
    await rounds.sweep()
    assert len(swept) == 1

    await rounds.sweep()
    assert len(swept) == 2


async def test_a_database_that_says_nothing_does_not_keep_a_server_from_ending(
    offered: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(relay, "drain", wait_for_ever)
    monkeypatch.setattr(relay, "_DRAIN", 0)
    await relay.startup()

    await asyncio.wait_for(relay.shutdown(), timeout=10)
