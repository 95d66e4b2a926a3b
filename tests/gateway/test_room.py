"""A place takes as many calls at once as it may, however long it takes to write them out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest

from accounts.types import Principal, Role
from core import clock
from core.ids import new_id
from core.types import Operation
from gateway import relay
from gateway.errors import UpstreamBusy
from gateway.routing import Board
from gateway.types import Admission, Call, Chunk, Ending, Target
from tests.gateway.test_routing import asked, place


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A board of the test's own, and no ledger."""

    def conclude(_admission: Admission, _ending: Ending) -> "asyncio.Future[None]":
        written = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    monkeypatch.setattr(relay, "board", Board(time.monotonic))
    monkeypatch.setattr(relay, "conclude_soon", conclude)


async def answer(_target: Target, _call: Call) -> AsyncIterator[Chunk]:
    yield Chunk(b"{}", has_content=True)


async def ask(opening: Callable[[Target, Call], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """A large call to a place with room for one."""
    monkeypatch.setattr(relay, "get_adapter", lambda _kind: SimpleNamespace(open=opening))
    call = Call(new_id(), Operation.CHAT, "m", {"messages": []}, is_large=True)
    target = asked(place(1, most=1))
    async with relay.open_reply(Admission(Principal(1, Role.STUDENT), call, target, None, 1, (), clock.now())):
        pass


async def test_two_large_calls_do_not_both_take_the_last_room(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = await asyncio.gather(ask(answer, monkeypatch), ask(answer, monkeypatch), return_exceptions=True)

    assert [type(end) for end in ends] == [type(None), UpstreamBusy]


async def test_a_call_that_cannot_be_written_out_keeps_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_target: Target, _call: Call) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(stumble, monkeypatch)

    await ask(answer, monkeypatch)
