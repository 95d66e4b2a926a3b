"""uvicorn's side of a connection, as we serve it: what belongs together leaves together, and by the shortest way.

uvicorn writes an answer's head as soon as it is known, and its body a moment later: two system calls, two packets and
two awakenings of the other side where one of each is enough. And ASGI's `send` and `receive` are coroutines that take
dictionaries apart: who sends thousands of pieces a second has a direct way beside them, which is open while nothing is
special about the connection (docs/decisions/0064).

uvicorn begins to count the seconds of a connection when its first answer is given, and stops when the next byte comes.
Here they count whenever no answer is due: whoever has nothing to ask keeps no connection for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, Self, cast

import orjson
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from core.errors import InvalidRequest, RequestTooSlow
from core.ids import new_id

CLIENT = "gateway.client"  # the name of the direct way among a request's extensions (ASGI)

_HEAD = b"HTTP/1.1 "  # a piece of a body that begins so waits for one turn of the loop, too: no harm
_HEAD_SECONDS = 30  # a head is one packet or a few: whoever takes longer wants the connection, not an answer
_HEAD_BYTES = 64 * 1024  # twice what nginx takes
# Java's client offers to go on in HTTP/2 with its first request; the parser would believe that it has, and see no body.
_UPGRADE, _NEAR = b"\r\nUpgrade: h2c\r\n", 8 * 1024
_REFUSAL_LINES = (
    b"x-request-id: %b\r\ncontent-type: application/json\r\nx-should-retry: false\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n"
)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _asking: "Client | None" = None  # whose request is being answered
    _due: float | None = None  # when the head that is awaited must be whole
    _idle_until: float | None = None  # when it must have begun
    _read = 0  # bytes of it after the read that it began in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's, with the transport's writes joined."""
        super().connection_made(cast("asyncio.Transport", _Joining(cast("asyncio.Transport", transport))))
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's, told to the request that is being answered: uvicorn tells the one that came last."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if self._asking is not None:
            self._asking.leave()

    def data_received(self, data: bytes) -> None:
        """asyncio's. A head that comes whole, as nearly all do, needs no timer."""
        was_begun = self._is_begun
        if self._is_idle and (place := data.find(_UPGRADE, 0, _NEAR)) >= 0 and b"\r\n\r\n" not in data[: place + 2]:
            data = data.replace(_UPGRADE, b"\r\n", 1)  # in the head: a body may say what it likes
        super().data_received(data)
        self._read = self._read + len(data) if was_begun and self._is_begun else 0
        if self._read > _HEAD_BYTES:
            self.send_400_response("")
            self.transport.close()
        elif self._is_idle:
            self._await_request()
        else:
            self._due = self._idle_until = None

    def timeout_keep_alive_handler(self) -> None:
        """uvicorn's, with a word for whoever has begun to ask."""
        if self._is_begun and not self.transport.is_closing():
            self._refuse(RequestTooSlow())
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's, as programs read errors. Where another answer is due that one is given, and is the last."""
        cycle = self.cycle
        if self._is_idle or (cycle.more_body and not cycle.response_started and not self.pipeline):
            self._refuse(InvalidRequest())
        else:
            cycle.keep_alive = False

    @property
    def _is_idle(self) -> bool:
        """Whether no answer is due."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _is_begun(self) -> bool:
        """Whether there is a part of a head: uvicorn notes the method when it has all of it."""
        return self.scope is not None and "method" not in self.scope

    def _await_request(self) -> None:
        """No answer is due: start uvicorn's timer, which what came has stopped, and for a head without more time."""
        now = self.loop.time()
        if self.cycle is None or self._is_begun:
            due = self._due = self._due or now + _HEAD_SECONDS
        else:  # it was an empty line, or of a body that was answered before it came
            due = self._idle_until = self._idle_until or now + self.timeout_keep_alive
        self.timeout_keep_alive_task = self.loop.call_at(due, self.timeout_keep_alive_handler)

    def _refuse(self, error: InvalidRequest) -> None:
        """Say why as /v1 does (docs/errors.md), and close."""
        kind = "invalid_request_error"
        body = orjson.dumps({"error": {"message": str(error.message), "type": kind, "param": None, "code": error.code}})
        lines = _join(*self.server_state.default_headers) + _REFUSAL_LINES % (str(new_id()).encode(), len(body))
        self.transport.write(STATUS_LINE[error.status] + lines + body)
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._asking = None
        if cycle.keep_alive and not cycle.access_log and cycle.scope["method"] != "HEAD":
            self._asking = Client(cycle)
            app = partial(_call, app, self._asking)
        super()._start_asgi_task(cycle, app)


class Client:
    """Who sent a request, for whoever answers it without ASGI: what uvicorn's cycle does, in few steps.

    What is written is True when it was, and False when ASGI's way must be taken instead, which is open at any time:
    for a reader who is slow or has left, a server that is stopping, and whatever this does not know. Header lines are
    believed: whoever makes them of anything but constants and numbers takes ASGI's way, where they are checked.
    """

    __slots__ = ("_cycle", "_line", "_when_gone")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._line = cast("_Joining", cycle.transport)
        self._when_gone: Callable[[], None] | None = None

    def take_body(self) -> bytes | None:
        """The request's body, once, if all of it is there; what ASGI has to tell then is only that the client left."""
        cycle = self._cycle
        if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        return body

    def attended(self, when_gone: Callable[[], None]) -> Self:
        """Inside a `with` of this, `when_gone` is called as soon as the client hangs up, or at once if it has."""
        self._when_gone = when_gone
        self._cycle.flow.resume_reading()  # who reads nothing sees nobody leave
        if self._cycle.disconnected:
            when_gone()
        return self

    def __enter__(self) -> None:
        """Nothing more: it has begun."""

    def __exit__(self, *_why: object) -> None:
        self._when_gone = None

    def leave(self) -> None:
        """The connection is lost."""
        cycle = self._cycle
        if not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self._when_gone is not None:
            self._when_gone()

    def answer(self, status: int, lines: bytes, body: bytes) -> bool:
        """A whole answer under these header lines."""
        if self._cycle.response_started or not self._is_free():
            return False
        head = self._begin(status, lines, is_chunked=False)
        self._line.write_now(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self._complete()
        return True

    def start(self, lines: bytes, piece: bytes) -> bool:
        """A stream under these header lines, and its first piece."""
        if not piece or self._cycle.response_started or not self._is_free():
            return False
        head = self._begin(200, lines, is_chunked=True)
        self._line.write_now(b"%btransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (head, len(piece), piece))
        return True

    def write(self, piece: bytes) -> bool:
        """One more piece of a stream."""
        if not piece or not self._cycle.chunked_encoding or not self._is_free():
            return False
        self._line.write_now(b"%x\r\n%b\r\n" % (len(piece), piece))
        return True

    def end(self, piece: bytes) -> bool:
        """The end of a stream, and its last piece if there is one."""
        if not self._cycle.chunked_encoding or not self._is_free():
            return False
        self._line.write_now(b"%x\r\n%b\r\n0\r\n\r\n" % (len(piece), piece) if piece else b"0\r\n\r\n")
        self._complete()
        return True

    def _is_free(self) -> bool:
        cycle, line = self._cycle, self._line
        return not (
            cycle.flow.write_paused
            or line.head  # what was said before has not left
            or not cycle.keep_alive  # the server is stopping, and the connection ends with the answer
            or cycle.response_complete
            or cycle.disconnected
            or line.is_closing()
        )

    def _begin(self, status: int, lines: bytes, *, is_chunked: bool) -> bytes:
        """The answer's head up to how its body is framed."""
        cycle = self._cycle
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        cycle.chunked_encoding = is_chunked
        return STATUS_LINE[status] + _join(*cycle.default_headers) + lines

    def _complete(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()


class _Joining:
    """A transport that keeps the head of an answer until the next write, or until the loop has gone round once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.head = b""  # what is kept
        self.write_now = transport.write  # for whoever has joined what belongs together, while nothing is kept
        self.is_closing = transport.is_closing
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._sending: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        if self.head:
            data, self.head = self.head + data, b""
            self._forget_sending()
        elif data.startswith(_HEAD):
            self.head = data
            self._sending = self._loop.call_soon(self._send)
            return
        self.write_now(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._send()
        self._transport.set_protocol(protocol)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._transport, name)  # those that write nothing
        return method

    def _send(self) -> None:
        self._forget_sending()
        if self.head:
            head, self.head = self.head, b""
            self.write_now(head)

    def _forget_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None


@lru_cache(maxsize=1)
def _join(*headers: tuple[bytes, bytes]) -> bytes:
    """The server's own header lines, which change once a second."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _call(
    app: ASGI3Application, client: Client, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> Awaitable[None]:
    """In a scope of its own: a cycle that led to its client would be one that only the collector can free."""
    return app({**scope, "extensions": {CLIENT: client}}, receive, send)  # type: ignore[arg-type]
