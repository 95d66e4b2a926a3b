"""What a call leaves is freed when it ends, so that the collector has nothing to look for (decision 8)."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from core.threads import hop_to_writer
from gateway import relay
from gateway.admission import Case
from gateway.asgi import application
from gateway.relay import Reply
from gateway.upstreams.http1 import Line
from gateway.upstreams.streams import Stream
from gateway.wire.exchange import Exchange
from quotas.services import set_quota
from tests.fakes.upstream import FakeUpstream
from tests.gateway.test_last_byte import Caller


@pytest.fixture
def earlier() -> Iterator[list[object]]:
    """What other tests left, while the collector rests."""
    gc.collect()
    gc.disable()
    yield _alive()
    gc.enable()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"stream": True}, 200),
        ({}, 200),
        ({"model": "unknown"}, 404),
        ({"messages": []}, 400),
        ({"model": "error-html"}, 502),
        ({"model": "resets", "stream": True}, 502),
        ({"model": "in-band", "stream": True}, 502),
    ],
    ids=["stream", "plain", "no-such-model", "no-question", "failed", "failed-stream", "told-failure"],
)
async def test_a_call_that_is_over_leaves_nothing(
    offered: FakeUpstream, saras_key: str, earlier: list[object], body: dict[str, object], status: int
) -> None:
    async with relay.lifespan():
        caller = Caller(saras_key, **body)
        await application(caller.scope, caller.receive, caller.send)

    assert caller.taken[0]["status"] == status
    await _nothing_is_left(beside=earlier)


async def test_a_call_without_quota_leaves_nothing(
    offered: FakeUpstream, saras_key: str, earlier: list[object]
) -> None:
    await sync_to_async(set_quota)(limit=0)
    async with relay.lifespan():
        caller = Caller(saras_key)
        await application(caller.scope, caller.receive, caller.send)

    assert caller.taken[0]["status"] == 429
    await _nothing_is_left(beside=earlier)


async def test_a_client_that_leaves_leaves_nothing(
    offered: FakeUpstream, saras_key: str, earlier: list[object]
) -> None:
    async with relay.lifespan():
        caller = Caller(saras_key, model="slow", stream=True)
        call = asyncio.create_task(application(caller.scope, caller.receive, caller.send))
        await caller.has_taken(2)
        caller.has_left.set()
        await call
        del call

    await _nothing_is_left(beside=earlier)


async def test_a_wrong_key_leaves_nothing(offered: FakeUpstream, earlier: list[object]) -> None:
    async with relay.lifespan():
        caller = Caller("sk-wrong")
        await application(caller.scope, caller.receive, caller.send)

    assert caller.taken[0]["status"] == 401
    await _nothing_is_left(beside=earlier)


async def _nothing_is_left(*, beside: list[object]) -> None:
    await hop_to_writer(bool)  # whoever takes this has let go of the batch before
    assert [one for one in _alive() if all(one is not other for other in beside)] == []


def _alive() -> list[object]:
    # By their types: what others left, such as a lazy nonce, may fail when it is asked what it is.
    return [one for one in gc.get_objects() if type(one) in (Exchange, Case, Reply, Stream, Line)]
