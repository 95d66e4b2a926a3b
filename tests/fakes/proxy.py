"""A TCP proxy that treats what passes through it badly, between any two programs (toxiproxy's toxics in one page)."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """What is done to connections; changed from the test's thread at any time, and believed at the next byte.

    Args:
        is_down: new connections are refused, and those that are there are reset.
        is_silent: everything is taken and nothing is handed on, in both directions: a black hole.
        pause: seconds each piece waits.
        piece: the most bytes that are handed on at once; 0 is no limit.
        answer_limit: after so many bytes of answers the connection is reset; 0 is no limit.
        last_words: a question with these bytes is handed on, and its answer is never heard: the connection is reset.
    """

    upstream: int
    port: int = 0
    is_down: bool = False
    is_silent: bool = False
    pause: float = 0.0
    piece: int = 0
    answer_limit: int = 0
    last_words: bytes = b""
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def heal(self) -> None:
        """Treat everyone well from now on. Whoever was swallowed stays so: their bytes are gone."""
        self.is_down = self.is_silent = False
        self.pause, self.piece, self.answer_limit, self.last_words = 0.0, 0, 0, b""

    def cut(self) -> None:
        """Reset every connection there is."""
        self._loop.call_soon_threadsafe(self._reset)

    def _reset(self) -> None:
        for line in list(self._lines):
            line.transport.abort()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its knock to its end."""
        if self.is_down:
            writer.transport.abort()
            return
        try:
            answers, questions = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._lines |= {writer, questions}
        try:
            await asyncio.gather(
                self._pass(reader, questions, 0, asked_by=writer),
                self._pass(answers, writer, self.answer_limit),
            )
        except OSError:
            pass
        finally:
            self._lines -= {writer, questions}
            for line in (writer, questions):
                line.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        most: int,
        asked_by: asyncio.StreamWriter | None = None,
    ) -> None:
        passed = 0
        while data := await reader.read(65536):
            if self.is_down:
                writer.transport.abort()
                raise ConnectionResetError
            while self.is_silent:  # noqa: ASYNC110  # changed from another thread
                await asyncio.sleep(0.05)
            for start in range(0, len(data), self.piece or len(data)):
                if self.pause:
                    await asyncio.sleep(self.pause)
                writer.write(data[start : start + (self.piece or len(data))])
                await writer.drain()
            if asked_by and self.last_words and self.last_words in data:
                asked_by.transport.abort()
                raise ConnectionResetError
            passed += len(data)
            if most and passed >= most:
                self._reset()
                raise ConnectionResetError
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def serve(self, ready: threading.Event, finish: asyncio.Event) -> None:
        server = await asyncio.start_server(self.join, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await finish.wait()
        server.close()
        self._reset()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def open_proxy(upstream: int) -> Iterator[Proxy]:
    """A proxy in front of the port `upstream` of this machine, in a thread, for as long as the block lasts."""
    proxy, ready, finish = Proxy(upstream), threading.Event(), asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(proxy._loop)
        proxy._loop.run_until_complete(proxy.serve(ready, finish))
        proxy._loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(finish.set)
        thread.join(10)
