"""What an adapter makes of a provider: a complete answer, or one of our own errors."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from core import clock
from core.ids import new_id
from core.types import Operation
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamDown, UpstreamError, UpstreamRejected, UpstreamTimeout
from gateway.routing import LONGEST_LEFT_ALONE, Board, Circuit, place_of
from gateway.types import Call, Chunk, ProviderKind, Target
from gateway.upstreams import get_adapter
from gateway.upstreams.base import Adapter
from gateway.upstreams.placeholder import LABEL, draw
from gateway.upstreams.refusals import error_of
from tests.fakes.dialects import DIALECTS
from tests.fakes.faults import FAULTS
from tests.fakes.upstream import ANSWER, SECRET, FakeUpstream, open_upstream
from usage.types import Totals, UsageSource


@pytest.fixture
async def adapter() -> AsyncIterator[Adapter]:
    adapter = get_adapter(ProviderKind.COMPATIBLE)
    yield adapter
    await adapter.close()


def target(upstream: FakeUpstream, model: str, **changes: object) -> Target:
    values = {"model": "public", "upstream_model": model, "provider": "fake", "kind": ProviderKind.COMPATIBLE}
    return Target(**{**values, "base_url": upstream.base_url, **changes})  # type: ignore[arg-type]


async def ask(
    adapter: Adapter, upstream: FakeUpstream, model: str, *, stream: bool, n: int = 1, **changes: object
) -> list[Chunk]:
    operation = Operation.IMAGE if model.startswith("image") else Operation.CHAT
    body = (
        {"prompt": "x", "n": n} if operation == Operation.IMAGE else {"messages": [{"role": "user", "content": "Hi"}]}
    )
    call = Call(id=new_id(), operation=operation, model="public", body=body, stream=stream)
    return [chunk async for chunk in adapter.open(target(upstream, model, **changes), call)]


async def test_a_stream_arrives_in_pieces_with_its_totals(adapter: Adapter, upstream: FakeUpstream) -> None:
    chunks = await ask(adapter, upstream, "good", stream=True)

    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert not chunks[0].has_content
    assert chunks[1].has_content
    first, *_others = chunks[1].data.split(b"\n\ndata: ")  # what comes in one read is one chunk
    assert orjson.loads(first)["model"] == "public"
    assert chunks[-1].totals == Totals(7, 5, source=UsageSource.REPORTED)
    assert chunks[-1].data == b""  # the person did not ask for usage


async def test_a_plain_answer_is_one_chunk(adapter: Adapter, upstream: FakeUpstream) -> None:
    [chunk] = await ask(adapter, upstream, "good", stream=False)

    assert chunk.text == ANSWER
    assert chunk.finish_reason == "stop"
    assert orjson.loads(chunk.data)["choices"][0]["message"]["content"] == ANSWER


async def test_bytes_may_be_cut_anywhere(adapter: Adapter, upstream: FakeUpstream) -> None:
    chunks = await ask(adapter, upstream, "split", stream=True)

    assert "".join(chunk.text for chunk in chunks) == f"{ANSWER} 你好"


async def test_a_tool_call_is_content(adapter: Adapter, upstream: FakeUpstream) -> None:
    chunks = await ask(adapter, upstream, "tools", stream=True)

    assert chunks[0].has_content


async def test_absurd_usage_is_not_believed(adapter: Adapter, upstream: FakeUpstream) -> None:
    chunks = await ask(adapter, upstream, "absurd-usage", stream=True)

    assert all(chunk.totals is None for chunk in chunks)


async def test_the_limit_of_the_model_bounds_what_is_asked(adapter: Adapter, upstream: FakeUpstream) -> None:
    await ask(adapter, upstream, "good", stream=False, max_output_tokens=64)

    assert upstream.arrivals[-1].body["max_tokens"] == 64


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", UpstreamRejected),
        ("error-401", UpstreamError),
        ("error-403", UpstreamError),
        ("error-404", UpstreamError),
        ("error-408", UpstreamTimeout),
        ("error-409", UpstreamError),
        ("error-413", UpstreamRejected),
        ("error-422", UpstreamRejected),
        ("error-429", UpstreamBusy),
        ("error-500", UpstreamDown),
        ("error-502", UpstreamDown),
        ("error-503", UpstreamDown),
        ("error-504", UpstreamTimeout),
        ("error-529", UpstreamBusy),
        ("error-html", UpstreamDown),
        ("content-filter", ContentFiltered),
        ("filtered", ContentFiltered),
        ("redirect", UpstreamError),
        ("resets", UpstreamDown),
        ("garbage", UpstreamError),
        ("wrong-shape", UpstreamError),
        ("not-a-number", UpstreamError),
        ("gzip", UpstreamError),
        ("in-band", UpstreamError),
        ("empty", UpstreamError),
        ("other-form", UpstreamError),
        ("long-line", UpstreamError),
        ("flood", UpstreamError),
    ],
)
async def test_a_failure_becomes_one_of_our_errors(
    adapter: Adapter, upstream: FakeUpstream, model: str, error: type[UpstreamError], stream: bool
) -> None:
    with pytest.raises(UpstreamError) as raised:
        await ask(adapter, upstream, model, stream=stream)

    assert type(raised.value) is error
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "seconds", "told"),
    [
        ("error-429", 7, "7"),
        ("azure-busy", 0.4, "1"),  # both headers: the more exact one
        ("busy-without-a-time", 10, "10"),
        ("busy-in-words", 10, "10"),
        ("busy-for-a-year", LONGEST_LEFT_ALONE, "60"),
        ("busy-until-a-date", LONGEST_LEFT_ALONE, "60"),
        ("down-for-a-while", 30, "30"),
    ],
)
async def test_a_provider_is_left_alone_for_as_long_as_it_asks(
    adapter: Adapter, model: str, seconds: float, told: str
) -> None:
    now = 0.0
    board = Board(lambda: now)
    with open_upstream({**DIALECTS, **FAULTS}) as upstream:
        place = target(upstream, model, upstream_id=1)
        board.begin(place)
        with pytest.raises(UpstreamBusy) as raised:
            await ask(adapter, upstream, model, stream=False)
        await adapter.close()
    board.end(place, raised.value)

    assert raised.value.headers["retry-after"] == told
    assert board.list_circuits() == {place_of(place): Circuit.ASKED_FOR_REST}
    now = seconds - 0.1
    with pytest.raises(UpstreamBusy):
        board.choose(place)
    now = seconds
    assert board.choose(place) == [place]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "Thu, 03 Dec 2026 10:00:45 GMT"}, 45),
        ({"retry-after": "Thu, 03 Dec 2026 18:00:45 +0800"}, 45),
        ({"retry-after": "Thursday, 03-Dec-26 10:00:45 GMT"}, 45),
        ({"retry-after": "Thu Dec  3 10:00:45 2026"}, 45),
        ({"retry-after": "Thu, 03 Dec 2026 09:00:00 GMT"}, 0),  # over, by our clock
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3),
        ({"retry-after": "-3"}, 10),
        ({"retry-after": "nan"}, 10),
        ({"retry-after": "1e9"}, 10),
        ({"retry-after": "9" * 5000}, 10),
        ({"retry-after": "Thu, 03 Dec 2026 10:00:45 +99999999999999999"}, 10),
        ({"retry-after": "\u0663"}, 10),
        ({}, 10),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_time_is_read_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], seconds: float
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 3, 10, tzinfo=UTC))
    place = Target("public", "m", "fake", ProviderKind.COMPATIBLE, "")

    error = error_of(place, 429, headers, b"")

    assert isinstance(error, UpstreamBusy)
    assert error.retry_after == seconds
    # Who is broken and says nothing clear, or that it is over, is asked once more.
    assert isinstance(error_of(place, 503, headers, b""), UpstreamDown if seconds in (0, 10) else UpstreamBusy)


@pytest.mark.parametrize(
    "model", ["breaks", "cut", "no-done", "no-finish", "in-band-late", "garbage-late", "breaks-early"]
)
async def test_an_incomplete_stream_never_ends_well(adapter: Adapter, upstream: FakeUpstream, model: str) -> None:
    with pytest.raises(UpstreamError):
        await ask(adapter, upstream, model, stream=True)


async def test_images_arrive_as_base64(adapter: Adapter, upstream: FakeUpstream) -> None:
    [chunk] = await ask(adapter, upstream, "image-good", stream=False, n=2)

    assert chunk.totals is not None
    assert chunk.totals.images == 2
    assert upstream.arrivals[-1].body["response_format"] == "b64_json"


@pytest.mark.parametrize("model", ["image-none", "image-url", "image-svg", "image-500", "image-filter"])
async def test_an_answer_without_images_is_a_failure(adapter: Adapter, upstream: FakeUpstream, model: str) -> None:
    with pytest.raises(UpstreamError):
        await ask(adapter, upstream, model, stream=False)


async def test_closing_the_reply_hangs_up_on_the_provider(adapter: Adapter, upstream: FakeUpstream) -> None:
    call = Call(id=new_id(), operation=Operation.CHAT, model="public", body={"messages": []}, stream=True)
    chunks = adapter.open(target(upstream, "slow"), call)
    await anext(chunks)

    await chunks.aclose()

    assert await asyncio.to_thread(upstream.arrivals[-1].left.wait, 2)


def test_a_placeholder_says_what_it_is_and_is_always_the_same() -> None:
    card = draw("A harbor at dusk", size="256x256", number=0)

    assert card == draw("A harbor at dusk", size="256x256", number=0)
    assert card != draw("A harbor at dawn", size="256x256", number=0)
    assert LABEL.encode() in card
