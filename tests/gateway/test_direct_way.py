"""Exchanges over real connections: the direct way to a client (core.protocol), and ASGI's where it is closed."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.conf import LazySettings
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from core.errors import DomainError
from core.protocol import Client, Protocol
from gateway.wire import exchange as exchanges
from gateway.wire.exchange import ClientGone, Exchange

GET = b"GET %b HTTP/1.1\r\nhost: here\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: %d\r\n\r\n"
PIECE = b"x" * 65536  # of a stream, enough of which fill any connection

Script = Callable[[Exchange], Awaitable[None]]
Way = Callable[[Any, Any, Any], Exchange]


def by_asgi(scope: Any, receive: Any, send: Any) -> Exchange:
    return Exchange({**scope, "extensions": {}}, receive, send)


def directly(scope: Any, _receive: object, _send: object) -> Exchange:
    """With nothing else to go by."""

    async def never(*_message: object) -> Any:
        raise AssertionError("this was to go the direct way")

    return Exchange(scope, never, never)


def reading_bodies_only(scope: Any, receive: Any, send: Any) -> Exchange:
    """With nobody to tell it by ASGI that the client has left."""

    async def receive_body() -> Any:
        message = await receive()
        assert message["type"] == "http.request"
        return message

    return Exchange(scope, receive_body, send)


class Server:
    """Answers every request by a script."""

    def __init__(self, script: Script, way: Way) -> None:
        self.script, self.way = script, way
        self.port = 0
        self.lost = asyncio.Event()
        self.protocols: list[Protocol] = []
        self.failures: list[BaseException] = []
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Sun, 29 Nov 2026 18:00:00 GMT")]
        self._config = Config(self.application, log_config=None, lifespan="off", interface="asgi3")

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        exchange = self.way(scope, receive, send)
        try:
            await self.script(exchange)
        except DomainError as error:
            await exchange.fail(error)
        except BaseException as error:
            self.failures.append(error)  # uvicorn would make an answer of it
            raise

    def connect(self) -> Protocol:
        server = self

        class Watched(Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                server.lost.set()

        protocol = Watched(self._config, self.state, {})
        protocol.access_log = False
        self.protocols.append(protocol)
        return protocol


@asynccontextmanager
async def serving(script: Script, way: Way = Exchange) -> AsyncIterator[Server]:
    server = Server(script, way)
    listening = await asyncio.get_running_loop().create_server(server.connect, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
        while server.state.tasks:
            await asyncio.wait_for(asyncio.gather(*server.state.tasks), 10)
    finally:
        listening.close()
        for protocol in server.protocols:
            protocol.transport.close()
        for failure in server.failures:
            raise failure


class Caller:
    """One connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def hear(self) -> tuple[bytes, bytes]:
        """Head and body of one answer that says its length."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head, await self.reader.readexactly(length)

    async def hear_stream(self) -> bytes:
        """One answer as it comes, to the end of its stream."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n0\r\n\r\n"), 10)

    async def ask_unread(self, *, until: asyncio.Event) -> None:
        """Ask, and read nothing."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]
        self.say(GET % b"/")
        await asyncio.wait_for(until.wait(), 5)

    async def hear_late(self, *, after: asyncio.Event) -> bytes:
        """One stream, of which nothing is read before that."""
        await self.ask_unread(until=after)
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]
        return await self.hear_stream()

    async def hear_all(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 10)


@asynccontextmanager
async def calling(server: Server) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**26)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


async def echo(exchange: Exchange) -> None:
    await exchange.answer(await exchange.read_body())


async def tell_path(exchange: Exchange) -> None:
    await exchange.answer(exchange.path.encode())


async def stream(exchange: Exchange) -> None:
    exchange.write_soon(b"data: one\n\n")
    exchange.write_soon(b"data: two\n\n")
    await exchange.finish(b"data: [DONE]\n\n")


async def test_a_whole_answer_comes_in_one_piece_and_the_connection_serves_the_next() -> None:
    async with serving(echo, directly) as server, calling(server) as caller:
        for number in range(3):
            caller.say(POST % 6, b"hello", b"%d" % number)
            answer = await caller.reader.read(65536)

            head, _, body = answer.partition(b"\r\n\r\n")
            names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
            assert body == b"hello%d" % number
            assert names == [
                b"HTTP/1.1 200 OK",
                b"date",
                b"x-request-id",
                b"openai-processing-ms",
                b"content-type",
                b"content-length",
            ]
    assert len(server.protocols) == 1


async def test_a_streams_first_piece_comes_with_its_head() -> None:
    may_go_on = asyncio.Event()

    async def speak(exchange: Exchange) -> None:
        exchange.write_soon(b"data: one\n\n")
        await may_go_on.wait()
        await exchange.finish(b"data: [DONE]\n\n")

    async with serving(speak, directly) as server, calling(server) as caller:
        caller.say(GET % b"/")
        assert (await caller.reader.read(65536)).endswith(b"\r\n\r\nb\r\ndata: one\n\n\r\n")
        may_go_on.set()
        assert await caller.hear_stream() == b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("script", [tell_path, stream], ids=["whole", "stream"])
async def test_the_bytes_are_the_same_both_ways(script: Script) -> None:
    heard = []
    for way in (directly, by_asgi):
        async with serving(script, way) as server, calling(server) as caller:
            caller.say(GET % b"/here", (GET % b"/here").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            server.way = by_asgi  # for the second one, which is to close the connection
            heard.append(re.sub(rb"(x-request-id: |processing-ms: )\S+", rb"\1", await caller.hear_all()))

    assert heard[0] == heard[1]
    assert heard[0].count(b"HTTP/1.1 200 OK\r\n") == 2


async def test_requests_that_are_sent_ahead_are_answered_in_their_order() -> None:
    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep({"/1": 0.05, "/2": 0.02}.get(exchange.path, 0))
        await tell_path(exchange)

    async with serving(answer, directly) as server, calling(server) as caller:
        caller.say(*[GET % b"/%d" % number for number in (1, 2, 3)])
        caller.say(GET % b"/4")

        assert [(await caller.hear())[1] for _ in range(4)] == [b"/1", b"/2", b"/3", b"/4"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        (GET % b"/here").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        (GET % b"/here").replace(b"1.1", b"1.0"),
    ],
    ids=["close", "http-1.0"],
)
async def test_who_wants_one_answer_gets_one_and_the_end(request_bytes: bytes) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say(request_bytes)
        head, _, body = (await caller.hear_all()).partition(b"\r\n\r\n")

    assert b"\r\nconnection: close" in head
    assert body == b"/here"


async def test_a_head_is_all_that_who_asks_for_one_gets() -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say((GET % b"/here").replace(b"GET", b"HEAD"), GET % b"/there")
        head = await caller.reader.readuntil(b"\r\n\r\n")

        assert b"content-length: 5\r\n" in head
        assert (await caller.hear())[1] == b"/there"


async def test_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    async with serving(echo) as server, calling(server) as caller:
        for _ in range(2):
            caller.say((POST % 5).replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"))
            assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            caller.say(b"hello")
            assert (await caller.hear())[1] == b"hello"


async def test_who_does_not_wait_to_be_asked_is_told_to_go_on_before_the_answer() -> None:
    async with serving(echo) as server, calling(server) as caller:
        caller.say((POST % 5).replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"), b"hello")

        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await caller.hear())[1] == b"hello"


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_body_comes_in_as_many_packets_as_it_likes(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with serving(echo) as server, calling(server) as caller:
        for cuts in ([], [0], [1], [size // 2], [size // 3, size // 2, size - 1]):
            caller.say(POST % size)
            for begin, end in zip([0, *cuts], [*cuts, size], strict=True):
                caller.say(body[begin:end])
                await asyncio.sleep(0.01)
            assert (await caller.hear())[1] == body[:size]


async def test_a_body_without_a_length_may_not_be_too_large_either(settings: LazySettings) -> None:
    settings.MAX_REQUEST_BYTES = 10
    chunked = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(echo) as server, calling(server) as caller:
        caller.say(chunked, b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
        assert (await caller.hear())[1] == b"helloworld"
        caller.say(chunked, b"5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n")
        assert (await caller.hear())[0].startswith(b"HTTP/1.1 413 ")


def hang_up(caller: Caller) -> None:
    caller.writer.close()


def break_off(caller: Caller) -> None:
    caller.writer.transport.abort()


def close_half(caller: Caller) -> None:
    caller.writer.write_eof()


@pytest.mark.parametrize("leave", [hang_up, break_off, close_half])
@pytest.mark.parametrize("size", [5, 100_000], ids=["small", "large"])
async def test_who_leaves_is_noticed_and_nothing_is_read_for_it(leave: Callable[[Caller], None], size: int) -> None:
    began, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await exchange.read_body()
        with exchange.attended(left.set):
            began.set()
            await asyncio.wait_for(left.wait(), 5)
        with pytest.raises(ClientGone):
            await exchange.answer(b"to nobody")

    async with serving(wait, reading_bodies_only) as server, calling(server) as caller:
        caller.say(POST % size, b"x" * size)
        await asyncio.wait_for(began.wait(), 5)
        leave(caller)
        await asyncio.wait_for(left.wait(), 5)


async def test_who_has_left_before_anybody_looked_is_noticed_at_once() -> None:
    left: list[bool] = []

    async def look_late(exchange: Exchange) -> None:
        await exchange.read_body()
        began.set()
        await server.lost.wait()
        with exchange.attended(lambda: left.append(True)):
            assert left

    began = asyncio.Event()
    async with serving(look_late, directly) as server, calling(server) as caller:
        caller.say(POST % 5, b"hello")
        await asyncio.wait_for(began.wait(), 5)
        hang_up(caller)

    assert left == [True]


async def test_who_leaves_with_more_requests_sent_ahead_is_noticed_in_the_first() -> None:
    began, left, asked = asyncio.Event(), asyncio.Event(), list[str]()

    async def wait(exchange: Exchange) -> None:
        asked.append(exchange.path)
        with exchange.attended(left.set):
            began.set()
            await asyncio.wait_for(left.wait(), 5)

    async with serving(wait, directly) as server, calling(server) as caller:
        caller.say(GET % b"/1", GET % b"/2")
        await asyncio.wait_for(began.wait(), 5)
        hang_up(caller)

    assert asked == ["/1"]


async def test_who_leaves_after_the_end_of_the_watch_disturbs_nobody() -> None:
    left: list[bool] = []

    async def answer(exchange: Exchange) -> None:
        with exchange.attended(lambda: left.append(True)):
            await exchange.answer(b"{}")
        await server.lost.wait()

    async with serving(answer, directly) as server, calling(server) as caller:
        caller.say(GET % b"/")
        await caller.hear()
        hang_up(caller)

    assert left == []


async def fill(exchange: Exchange) -> tuple[int, asyncio.Future[None]]:
    """Write until the connection takes no more: how often, and what is done when it does."""
    for count in range(1000):
        slow = exchange.write_soon(PIECE)
        if slow is not None:
            return count + 1, slow
        await asyncio.sleep(0)
    raise AssertionError("a connection without an end")


def pieces_of(answer: bytes) -> list[bytes]:
    """Those of a stream, each with its right size before it."""
    _head, _, chunks = answer.partition(b"\r\n\r\n")
    *lines, end, nothing, more = chunks.split(b"\r\n")
    assert (end, nothing, more) == (b"0", b"", b"")
    sizes, pieces = lines[::2], lines[1::2]
    assert [int(size, 16) for size in sizes] == [len(piece) for piece in pieces]
    return pieces


async def test_a_slow_reader_is_waited_for_in_bounded_memory_and_gets_everything() -> None:
    written, held = 0, 0
    is_full = asyncio.Event()

    async def pour(exchange: Exchange) -> None:
        nonlocal written, held
        written, slow = await fill(exchange)
        held = server.protocols[0].transport.get_write_buffer_size()
        is_full.set()
        await slow
        for _ in range(20):
            written += 1
            if (waiting := exchange.write_soon(PIECE)) is not None:
                await waiting
        await exchange.finish(b"last")

    async with serving(pour) as server, calling(server) as caller:
        heard = await caller.hear_late(after=is_full)

    assert pieces_of(heard) == [PIECE] * written + [b"last"]
    assert held < 4 * len(PIECE)


async def test_what_comes_after_a_slow_piece_waits_for_it_however_fast_the_reader_is_then() -> None:
    written = 0
    is_full = asyncio.Event()

    async def pour(exchange: Exchange) -> None:
        nonlocal written
        written, _slow = await fill(exchange)
        is_full.set()
        server.protocols[0].resume_writing()
        exchange.write_soon(b"later")
        await exchange.finish(b"last")

    async with serving(pour) as server, calling(server) as caller:
        heard = await caller.hear_late(after=is_full)

    assert pieces_of(heard) == [PIECE] * written + [b"later", b"last"]


async def test_a_reader_who_takes_nothing_is_given_up_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_READER_SECONDS", 0.05)
    left = asyncio.Event()

    async def pour(exchange: Exchange) -> None:
        with exchange.attended(left.set):
            _count, slow = await fill(exchange)
            assert not left.is_set()
            await slow
            assert left.is_set()
        await server.protocols[0].flow.drain()  # the reader reads after all
        with pytest.raises(ClientGone):
            await exchange.finish(b"last")

    async with serving(pour) as server, calling(server) as caller:
        await caller.hear_late(after=left)


async def test_who_leaves_while_the_connection_is_full_is_noticed() -> None:
    is_full, left = asyncio.Event(), asyncio.Event()

    async def pour(exchange: Exchange) -> None:
        with exchange.attended(left.set):
            _count, slow = await fill(exchange)
            is_full.set()
            await asyncio.wait_for(left.wait(), 5)
            await asyncio.wait_for(slow, 5)

    async with serving(pour) as server, calling(server) as caller:
        await caller.ask_unread(until=is_full)
        break_off(caller)

    assert left.is_set()


async def test_a_server_that_stops_ends_its_streams_and_closes() -> None:
    async def speak(exchange: Exchange) -> None:
        exchange.write_soon(b"data: one\n\n")
        server.protocols[0].shutdown()
        exchange.write_soon(b"data: two\n\n")
        await exchange.finish(b"data: [DONE]\n\n")

    async with serving(speak) as server, calling(server) as caller:
        caller.say(GET % b"/")
        heard = await caller.hear_all()

    assert heard.endswith(b"b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.fixture
def resting_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("script", [echo, stream], ids=["whole", "stream"])
async def test_a_connection_that_is_over_leaves_nothing(resting_collector: None, script: Script) -> None:
    earlier = alive()
    async with serving(script, directly) as server, calling(server) as caller:
        for _ in range(2):
            caller.say(POST % 5, b"hello")
            await (caller.hear() if script is echo else caller.hear_stream())
        hang_up(caller)
        await server.lost.wait()
        server.protocols.clear()

    assert [one for one in alive() if all(one is not other for other in earlier)] == []


def alive() -> list[object]:
    return [one for one in gc.get_objects() if type(one) in (Exchange, Client, RequestResponseCycle)]
