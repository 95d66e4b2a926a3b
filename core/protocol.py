"""uvicorn's side of a connection, as we serve it: the head of an answer leaves together with what follows it.

uvicorn writes an answer's head as soon as it is known, and its body a moment later: two system calls, two packets and
two awakenings of the other side where one of each is enough.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "  # a piece of a body that begins so waits for one turn of the loop, too: no harm


class Protocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's, with the transport's writes joined."""
        super().connection_made(cast("asyncio.Transport", _Joining(cast("asyncio.Transport", transport))))


class _Joining:
    """A transport that keeps the head of an answer until the next write, or until the loop has gone round once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._write = transport.write
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._sending: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
            self._forget_sending()
        elif data.startswith(_HEAD):
            self._head = data
            self._sending = self._loop.call_soon(self._send)
            return
        self._write(data)

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
        if self._head:
            head, self._head = self._head, b""
            self._write(head)

    def _forget_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
