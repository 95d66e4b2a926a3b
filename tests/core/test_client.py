"""The direct way to a client says what ASGI's way says, and leaves uvicorn's cycle as that leaves it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from core.protocol import CLIENT, Client, Protocol
from tests.core.test_protocol import REQUEST, Send, Wire

LINES = b"x-one: 1\r\n"
DATE = [(b"date", b"Sun, 29 Nov 2026 18:00:00 GMT")]

Answer = Callable[[Client, Send], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, object]]]


class Line:
    """A connection to an application that answers everything so."""

    def __init__(self, answer: Answer, *, has_access_log: bool = False) -> None:
        self.wire, self.answer = Wire(), answer
        self.extensions: list[dict[str, object]] = []
        self.failures: list[BaseException] = []
        self.state = ServerState()
        self.state.default_headers = DATE
        config = Config(self.application, log_config=None, lifespan="off", interface="asgi3")
        self.protocol = Protocol(config, self.state, {})
        self.protocol.access_log = has_access_log
        self.protocol.connection_made(self.wire)

    async def application(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.receive = receive
        self.extensions.append(scope.get("extensions", {}))
        try:
            await self.answer(scope.get("extensions", {}).get(CLIENT), send)
        except BaseException as error:
            self.failures.append(error)  # uvicorn would make an answer of it
            raise

    async def ask(self, request: bytes = REQUEST) -> None:
        self.protocol.data_received(request)
        while self.state.tasks:
            await asyncio.gather(*self.state.tasks)
        for failure in self.failures:
            raise failure

    @property
    def said(self) -> bytes:
        return b"".join(self.wire.writes)

    @property
    def cycle(self) -> dict[str, object]:
        """Where uvicorn stands, in so far as it differs from one request to another."""
        names = "response_started response_complete chunked_encoding expected_content_length keep_alive disconnected"
        cycle = self.protocol.cycle
        stands = {name: getattr(cycle, name) for name in [*names.split(), "waiting_for_100_continue"]}
        timer = self.protocol.timeout_keep_alive_task is not None
        return {**stands, "event": cycle.message_event.is_set(), "timer": timer, "count": self.state.total_requests}


def start(*headers: tuple[bytes, bytes]) -> dict[str, object]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"x-one", b"1"), *headers]}


def body(piece: bytes, *, more: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


async def answer_directly(client: Client, _send: Send) -> None:
    assert client.answer(200, LINES, b"whole")


async def answer_by_asgi(_client: Client, send: Send) -> None:
    await send(start((b"content-length", b"5")))
    await send(body(b"whole"))


async def stream_directly(client: Client, _send: Send) -> None:
    assert client.start(LINES, b"first")
    assert client.write(b"and a second one")
    assert client.end(b"last")


async def stream_by_asgi(_client: Client, send: Send) -> None:
    await send(start())
    await send(body(b"first", more=True))
    await send(body(b"and a second one", more=True))
    await send(body(b"last"))


async def end_directly(client: Client, _send: Send) -> None:
    assert client.start(LINES, b"first")
    assert client.end(b"")


async def end_by_asgi(_client: Client, send: Send) -> None:
    await send(start())
    await send(body(b"first", more=True))
    await send(body(b""))


async def change_over(client: Client, send: Send) -> None:
    assert client.start(LINES, b"first")
    await send(body(b"and a second one", more=True))
    assert client.end(b"last")


async def change_over_at_once(client: Client, send: Send) -> None:
    await send(start())
    await send(body(b"first", more=True))
    assert client.write(b"and a second one")
    await send(body(b"last"))


@pytest.mark.parametrize(
    ("directly", "by_asgi"),
    [
        (answer_directly, answer_by_asgi),
        (stream_directly, stream_by_asgi),
        (end_directly, end_by_asgi),
        (change_over, stream_by_asgi),
        (change_over_at_once, stream_by_asgi),
    ],
    ids=["whole", "stream", "ends-without-a-word", "asgi-in-the-middle", "direct-in-the-middle"],
)
@pytest.mark.parametrize("expects", [b"", b"expect: 100-continue\r\n"], ids=["", "expect"])
async def test_both_ways_say_the_same_and_leave_the_same(directly: Answer, by_asgi: Answer, expects: bytes) -> None:
    request = REQUEST.replace(b"\r\n\r\n", b"\r\n" + expects + b"\r\n")
    one, other = Line(directly), Line(by_asgi)
    for line in (one, other):
        await line.ask(request)

    assert one.said == other.said
    assert one.cycle == other.cycle
    assert one.wire.writes == other.wire.writes  # in as many pieces, too


async def test_a_whole_answer_is_one_piece_and_the_next_request_another_one() -> None:
    line = Line(answer_directly)
    await line.ask()
    await line.ask()

    head = b"HTTP/1.1 200 OK\r\ndate: Sun, 29 Nov 2026 18:00:00 GMT\r\nx-one: 1\r\ncontent-length: 5\r\n\r\n"
    assert line.wire.writes == [head + b"whole"] * 2
    assert not line.wire.is_closed


@pytest.mark.parametrize(
    ("request_bytes", "has_access_log"),
    [
        (REQUEST.replace(b"GET", b"HEAD"), False),
        (REQUEST.replace(b"1.1", b"1.0"), False),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), False),
        (REQUEST, True),
    ],
    ids=["head", "http-1.0", "close", "access-log"],
)
async def test_there_is_no_direct_way_where_there_is_more_to_do(request_bytes: bytes, has_access_log: bool) -> None:
    line = Line(answer_by_asgi, has_access_log=has_access_log)
    await line.ask(request_bytes)

    assert line.extensions == [{}]
    assert line.said.startswith(b"HTTP/1.1 200 OK\r\n")


Hindrance = Callable[[Line], object]
HINDRANCES: dict[str, Hindrance] = {
    "the reader is slow": lambda line: line.protocol.pause_writing(),
    "the server stops": lambda line: line.protocol.shutdown(),
    "the connection closes": lambda line: line.wire.close(),
    "the client has left": lambda line: line.protocol.connection_lost(ConnectionResetError()),
    "something is still unsent": lambda line: line.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("hindrance", HINDRANCES.values(), ids=HINDRANCES.keys())
async def test_the_direct_way_is_closed_when_something_stands_in_it(hindrance: Hindrance) -> None:
    closed: list[bool] = []

    async def answer(client: Client, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))
        before = line.said
        hindrance(line)
        closed.extend([not client.write(b"more"), not client.end(b"last"), not client.answer(200, LINES, b"whole")])
        assert line.said == before
        line.protocol.resume_writing()
        await send(body(b"last"))

    async def begin(client: Client, send: Send) -> None:
        hindrance(line)
        closed.extend([not client.start(LINES, b"first"), not client.answer(200, LINES, b"whole")])
        assert line.said == b""
        line.protocol.resume_writing()
        await answer_by_asgi(client, send)

    for application in (answer, begin):
        line = Line(application)
        await line.ask()

    assert closed == [True] * 5


async def test_what_cannot_be_said_now_is_not_said_directly() -> None:
    refused: list[bool] = []

    async def answer(client: Client, _send: Send) -> None:
        refused.extend([not client.write(b"before the head"), not client.end(b"before the head")])
        refused.append(not client.start(LINES, b""))
        assert client.start(LINES, b"first")
        refused.extend([not client.write(b""), not client.start(LINES, b"first"), not client.answer(200, LINES, b"")])
        assert client.end(b"")
        refused.extend([not client.write(b"after the end"), not client.end(b""), not client.answer(200, LINES, b"")])

    await Line(answer).ask()

    assert refused == [True] * 9


async def test_after_the_body_asgi_tells_only_that_the_client_left() -> None:
    bodies: list[bytes | None] = []

    async def answer(client: Client, send: Send) -> None:
        bodies.append(client.take_body())
        receiving = asyncio.ensure_future(line.receive())
        await asyncio.sleep(0)
        assert not receiving.done()
        await answer_directly(client, send)
        assert await receiving == {"type": "http.disconnect"}

    line = Line(answer)
    await line.ask(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nhello")

    assert bodies == [b"hello"]


async def test_a_body_that_is_not_all_there_is_left_to_asgi() -> None:
    async def answer(client: Client, send: Send) -> None:
        assert client.take_body() is None
        assert await line.receive() == {"type": "http.request", "body": b"hel", "more_body": True}
        line.protocol.data_received(b"lo")
        assert client.take_body() == b"lo"
        await answer_directly(client, send)

    line = Line(answer)
    await line.ask(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nhel")


async def test_a_lost_connection_is_told_to_the_request_that_is_being_answered() -> None:
    """Not only to the one that came last."""
    told: list[object] = []

    async def answer(client: Client, _send: Send) -> None:
        with client.attended(lambda: told.append("gone")):
            line.protocol.connection_lost(ConnectionResetError())
        told.append((await line.receive())["type"])
        assert client.take_body() is None

    line = Line(answer)
    await line.ask(2 * REQUEST)

    assert told == ["gone", "http.disconnect"]


async def test_a_lost_connection_leaves_no_timer() -> None:
    """Of many that begin and are broken off each would be kept until its own is over."""
    line = Line(answer_directly)
    timer = line.protocol.timeout_keep_alive_task
    line.protocol.connection_lost(ConnectionResetError())

    assert timer is not None
    assert timer.cancelled()
