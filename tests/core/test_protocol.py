"""An answer's head travels with what follows it, and alone when nothing does."""

import asyncio
from collections.abc import Awaitable, Callable

from uvicorn import Config
from uvicorn.server import ServerState

from core.protocol import Protocol

Send = Callable[[dict[str, object]], Awaitable[None]]
START: dict[str, object] = {"type": "http.response.start", "status": 200, "headers": []}
REQUEST = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


class Wire(asyncio.Transport):
    """Where the protocol writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def ask(wire: Wire, answer: Callable[[Send], Awaitable[None]], request: bytes = REQUEST) -> None:
    """A request over the wire, answered so."""

    async def application(scope: object, receive: object, send: Send) -> None:
        await answer(send)

    state = ServerState()
    config = Config(application, log_config=None, lifespan="off")
    protocol = Protocol(config, state, {})
    protocol.connection_made(wire)
    protocol.data_received(request)
    await asyncio.gather(*state.tasks)


async def test_a_head_leaves_with_its_body() -> None:
    async def answer(send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await send({"type": "http.response.body", "body": b"last"})

    wire = Wire()
    await ask(wire, answer)

    first, last = wire.writes
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"\r\n\r\n5\r\nfirst\r\n")
    assert last == b"4\r\nlast\r\n0\r\n\r\n"


async def test_a_head_that_nothing_follows_does_not_wait() -> None:
    written: list[int] = []

    async def answer(send: Send) -> None:
        await send(START)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        written.append(len(wire.writes))
        await send({"type": "http.response.body", "body": b"late"})

    wire = Wire()
    await ask(wire, answer)

    assert written == [1]
    assert wire.writes[0].endswith(b"\r\n\r\n")


async def test_a_connection_that_closes_says_first_what_it_had_to_say() -> None:
    async def answer(send: Send) -> None:
        await send({**START, "status": 204})
        await send({"type": "http.response.body"})

    wire = Wire()
    await ask(wire, answer, REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

    assert wire.is_closed
    assert b"".join(wire.writes).startswith(b"HTTP/1.1 204 No Content\r\n")
