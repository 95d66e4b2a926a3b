"""What no reader foresaw is the provider's failure, and the log keeps to itself what was in it."""

import logging
from collections.abc import Mapping

import pytest

from gateway.errors import UpstreamError
from gateway.types import Chunk
from gateway.upstreams.streams import Stream
from gateway.upstreams.transport import Request, Taker
from tests.fakes.upstream import SECRET


class Line:
    """A connection that knows how it was left."""

    def __init__(self) -> None:
        self.left: list[bool] = []

    def pause(self) -> None: ...

    def rest(self) -> None: ...

    def resume(self) -> None: ...

    def leave(self, *, is_complete: bool) -> None:
        self.left.append(is_complete)


class Answering:
    """A way to a provider that answers at once, in two pieces."""

    def __init__(self, line: Line) -> None:
        self.line = line

    async def send(self, request: Request, taker: Taker, *, is_second: bool = False) -> Line:
        taker.begin(200, {})
        taker.take(SECRET.encode())
        taker.take(SECRET.encode())
        return self.line

    async def close(self) -> None: ...


class Stumbling:
    """Reads, and stumbles over a piece or, when nothing more can matter, over the whole."""

    is_over = False

    def __init__(self, over: str) -> None:
        self._over = over

    def feed(self, piece: bytes) -> list[Chunk]:
        if self._over == "piece":
            raise ValueError(piece.decode())
        self.is_over = True
        return []

    def finish(self) -> list[Chunk]:
        raise ValueError(SECRET)


@pytest.mark.parametrize("over", ["piece", "whole"])
async def test_a_reader_that_stumbles_is_the_providers_failure(over: str, caplog: pytest.LogCaptureFixture) -> None:
    def choose_reader(status: int, headers: Mapping[str, str]) -> Stumbling:
        return Stumbling(over)

    line = Line()
    stream = Stream(Answering(line), Request("http://x/v1", {}, b""), most=1000, choose_reader=choose_reader)
    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamError) as raised:
        await anext(stream)
    await stream.aclose()

    assert not raised.value.is_transient
    assert line.left == [False]
    [told] = caplog.records
    assert told.getMessage().startswith("An answer could not be read: ValueError")
    assert "in feed" in caplog.text if over == "piece" else "in finish" in caplog.text
    assert SECRET not in caplog.text
