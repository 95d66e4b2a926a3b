"""One answer on its way in: sent for when it is first wanted, then pulled chunk by chunk, or poured as it arrives."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from traceback import format_tb
from typing import Protocol

from gateway.errors import UpstreamError
from gateway.types import Chunk
from gateway.upstreams.pacing import pace
from gateway.upstreams.transport import DeadLine, Line, Request, Transport

logger = logging.getLogger(__name__)

_ENOUGH_AHEAD = 64 * 1024  # bytes that may wait to be pulled before the provider is made to wait
_WORTH_A_THREAD = 256 * 1024  # bytes whose parsing would hold up everyone else on the loop (contract, C33)


class Reader(Protocol):
    """Makes chunks of the bytes of one answer."""

    def feed(self, piece: bytes) -> list[Chunk]:
        """The chunks that this piece completes. What is wrong with the answer is raised by `finish` alone."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing that may still come could matter: all is said, or something is wrong."""
        ...

    def finish(self) -> list[Chunk]:
        """What only the end makes known: the chunk of a plain answer.

        Raises:
            UpstreamError: the answer is not complete and well-formed.
        """
        ...


class Stream:
    """The chunks of one answer, as gateway.upstreams.base.Chunks."""

    def __init__(
        self,
        transport: Transport,
        request: Request,
        *,
        most: int,
        choose_reader: Callable[[int, Mapping[str, str]], Reader],
    ) -> None:
        """Nothing is sent yet.

        Args:
            most: the answer's body may have so many bytes.
            choose_reader: from the status and the headers of the answer.
        """
        self._transport, self._request = transport, request
        self._most = most
        self._choose_reader = choose_reader
        self._reader: Reader | None = None
        self._line: Line | None = None  # as long as it is ours
        self._is_sent = False
        self._size = 0
        self._ready: deque[Chunk] = deque()
        self._ready_size = 0
        self._sink: Callable[[list[Chunk]], None] | None = None
        self._error: UpstreamError | None = None
        self._is_ended = self._is_finished = False
        self._bell: asyncio.Future[None] | None = None

    # ---- the side of the relay -------------------------------------------------------------------------------------

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk.

        Raises:
            UpstreamError: what came before it is all that was right.
        """
        if not self._is_sent:
            self._is_sent = True
            self._line = await self._transport.send(self._request, self)
        while not self._ready:
            if self._is_finished:
                raise StopAsyncIteration
            if not self._is_ended:
                await self._ring_awaited()
            elif isinstance(self._error, DeadLine):
                self._error, self._is_ended = None, False  # nothing was sent back: once more, over a new one
                self._line = await self._transport.send(self._request, self, is_second=True)
            else:
                self._ready += await self._finish()
        chunk = self._ready.popleft()
        if self._line is not None:  # more may come
            self._ready_size -= len(chunk.data)
            if self._ready_size < _ENOUGH_AHEAD:
                self._line.resume()
        return chunk

    async def pour(self, sink: Callable[[list[Chunk]], None]) -> None:
        """Hand the rest to the sink, all chunks of one read at a time, with no turn of the loop in between.

        Raises:
            UpstreamError: what was handed on is all that was right.
        """
        self.resume()
        self._sink = sink
        if self._ready:
            sink(list(self._ready))
            self._ready.clear()
        try:
            while not self._is_ended:
                await self._ring_awaited()
            if chunks := await self._finish():
                sink(chunks)
        finally:
            self._sink = None  # it knows us: nothing is left for the collector to find out

    def pause(self) -> None:
        """Let the provider wait."""
        if self._line is not None:
            self._line.pause()

    def resume(self) -> None:
        """Read on."""
        if self._line is not None:
            self._line.resume()

    async def aclose(self) -> None:
        """Hang up, unless all is said."""
        self._leave(is_complete=self._is_ended and self._error is None)
        self._error = None  # where it was raised, this stream is known: nothing is left for the collector to find out

    # ---- the side of the transport: see transport.Taker ------------------------------------------------------------

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        if headers.get("content-encoding", "identity") != "identity":
            self._hang_up(UpstreamError())  # nobody asked for it, and it could unpack to anything
        else:
            self._reader = self._choose_reader(status, headers)

    def take(self, piece: bytes) -> None:
        if self._is_ended or self._reader is None:
            return
        self._size += len(piece)
        if self._size > self._most:
            self._hang_up(UpstreamError())
            return
        try:
            chunks = self._reader.feed(piece)
        except Exception as error:  # noqa: BLE001  # whatever a provider says, and whatever no reader foresaw
            self._hang_up(_misread(error))
            return
        if self._reader.is_over:
            self._is_ended = True
            self._ring()
        if chunks:
            self._hand_on(chunks)

    def end(self) -> None:
        self._line, self._is_ended = None, True
        self._ring()

    def fail(self, error: UpstreamError) -> None:
        self._line = None
        if not self._is_ended:
            self._error, self._is_ended = error, True
            self._ring()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _hand_on(self, chunks: list[Chunk]) -> None:
        if self._sink is None:
            self._ready += chunks
            self._ready_size += sum(len(chunk.data) for chunk in chunks)
            if self._ready_size > _ENOUGH_AHEAD:
                self.pause()
            self._ring()
        else:
            self._sink(chunks)
            if pace.pause and self._line is not None:
                self._line.rest()

    def _hang_up(self, error: UpstreamError) -> None:
        self._error, self._is_ended = error, True
        self._leave(is_complete=False)
        self._ring()

    def _leave(self, *, is_complete: bool) -> None:
        if self._line is not None:
            line, self._line = self._line, None
            line.leave(is_complete=is_complete)

    async def _finish(self) -> list[Chunk]:
        """Look at the answer as a whole, once: what only its end makes known."""
        if self._error is not None:
            raise self._error
        if self._is_finished:
            return []
        self._is_finished = True
        if self._reader is None:
            raise UpstreamError
        try:
            if self._size > _WORTH_A_THREAD:
                chunks = await asyncio.to_thread(self._reader.finish)
            else:
                chunks = self._reader.finish()
        except UpstreamError:
            self._leave(is_complete=False)
            raise
        except Exception as error:  # noqa: BLE001  # as in `take`
            self._leave(is_complete=False)
            raise _misread(error) from None
        self._leave(is_complete=True)
        return chunks

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def _ring_awaited(self) -> Awaitable[None]:
        self._bell = asyncio.get_running_loop().create_future()
        return self._bell


def _misread(error: Exception) -> UpstreamError:
    """What an answer is that a reader stumbled over. The log gets the way there, not the error's own words: they may be
    the provider's."""
    logger.error("An answer could not be read: %s\n%s", type(error).__name__, "".join(format_tb(error.__traceback__)))
    return UpstreamError()
