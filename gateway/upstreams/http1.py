"""HTTP/1.1 to providers: connections that are kept, and answers handed on straight from `data_received`.

Nothing is awaited between the socket and whoever takes the answer; that is what a stream of small pieces would cost
most (docs/decisions/0005). What this does not do: HTTP/2, proxies (proxied.py), redirects, compression, cookies.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

import httptools
from django.conf import settings

from gateway.errors import UpstreamDown, UpstreamError, UpstreamTimeout
from gateway.upstreams.pacing import pace
from gateway.upstreams.transport import HEADERS, DeadLine, Request, Taker, make_ssl

_MOST_IDLE = 256  # kept connections per provider: thousands of them make every connect slow
_IDLE_SECONDS = 15  # shorter than common servers keep them
_LINGER_SECONDS = 1  # between a stream's last event and the end of its body
_LONGEST_HEAD = 64 * 1024
_NEW_LINE = "\r\n"
_ABOUT_BODY = "accept-encoding: identity\r\ncontent-length: "

_Address = tuple[bool, str, int]


class Http1:
    """The pools of this process, one per address."""

    def __init__(self) -> None:
        self._pools: dict[_Address, _Pool] = {}

    async def send(self, request: Request, taker: Taker, *, is_second: bool = False) -> "Line":
        """See Transport."""
        address, start = _read_url(request.url)
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = _Pool(address)
        own = [f"{name}: {value}" for name, value in request.headers.items()]
        plain = "".join(own)
        if "\r" in plain or "\n" in plain:
            raise UpstreamError  # a credential that would write headers of its own
        head = _NEW_LINE.join([start, *own, f"content-type: {request.kind}", _ABOUT_BODY])
        sent = f"{head}{len(request.body)}\r\n\r\n".encode("latin-1", "replace") + request.body
        line = (None if is_second else pool.take_idle()) or await pool.connect()
        line.send(sent, taker)
        return line

    async def close(self) -> None:
        """See Transport. Lines in use end with their calls, and are not kept."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()
        await asyncio.sleep(0)  # a turn for the loop, which closes the sockets themselves


@lru_cache(maxsize=1000)
def _read_url(address: str) -> tuple[_Address, str]:
    """Where to connect to, and how the request begins."""
    url = urlsplit(address)
    is_secure = url.scheme == "https"
    path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    start = f"POST {path} HTTP/1.1\r\nhost: {url.netloc.rpartition('@')[2]}"
    return (is_secure, url.hostname or "", url.port or (443 if is_secure else 80)), start


class _Pool:
    """The connections to one address: as many as there are calls, and those that wait for the next."""

    def __init__(self, address: _Address) -> None:
        is_secure, self._host, self._port = address
        self._ssl: ssl.SSLContext | None = make_ssl() if is_secure else None
        self._idle: list[Line] = []
        self._lines: set[Line] = set()  # all that are open
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take_idle(self) -> "Line | None":
        """The line that was used last, if there is one."""
        while self._idle:
            line = self._idle.pop()
            if line.is_open:
                return line
        return None

    async def connect(self) -> "Line":
        """A new line.

        Raises:
            UpstreamDown, UpstreamTimeout: none could be made.
        """
        try:
            async with asyncio.timeout(settings.UPSTREAM_CONNECT_SECONDS):
                _, line = await asyncio.get_running_loop().create_connection(
                    lambda: Line(self._keep, self._lines.discard), self._host, self._port, ssl=self._ssl
                )
        except TimeoutError:
            raise UpstreamTimeout from None
        except OSError as error:  # among them a certificate that is not believed
            raise UpstreamDown from error
        self._lines.add(line)
        return line

    def close(self) -> None:
        """Close what nobody uses, and keep nothing from now on."""
        self._is_closed = True
        self._idle.clear()
        for line in self._lines:
            if not line.is_taken:
                line.close()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _keep(self, line: "Line") -> None:
        if self._is_closed or len(self._idle) >= _MOST_IDLE:
            line.close()
            return
        line.idle_since = time.monotonic()
        self._idle.append(line)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        before = time.monotonic() - _IDLE_SECONDS
        stale = [line for line in self._idle if line.idle_since <= before or not line.is_open]
        self._idle = [line for line in self._idle if line not in stale]
        for line in stale:
            line.close()
        self._sweeping = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._sweep) if self._idle else None


class Line(asyncio.Protocol):
    """One connection, one request after another: idle, or answering to a taker, or finishing for nobody."""

    _transport: asyncio.Transport
    _headers: dict[str, str]
    _is_over: bool
    _pieces: list[bytes]

    def __init__(self, when_idle: Callable[["Line"], None], when_lost: Callable[["Line"], None]) -> None:
        self.idle_since = 0.0
        self._when_idle, self._when_lost = when_idle, when_lost
        self._taker: Taker | None = None
        self._is_answering = False
        self._is_used = False  # for an earlier request
        self._is_paused = False  # not read
        self._is_resting = False  # for as long as the process pauses
        self._lingering: asyncio.TimerHandle | None = None  # when we give up an answer nobody takes the rest of
        self._expect()

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as one can know without using it."""
        return not self._transport.is_closing()

    @property
    def is_taken(self) -> bool:
        """Whether someone waits for an answer."""
        return self._taker is not None

    def send(self, request: bytes, taker: Taker) -> None:
        """Send a request; its answer goes to the taker."""
        self._expect()
        self._taker, self._is_answering = taker, True
        self._transport.write(request)

    def pause(self) -> None:
        """See transport.Line."""
        self._is_resting = False
        if not self._is_paused and self.is_open:
            self._is_paused = True
            self._transport.pause_reading()

    def rest(self) -> None:
        """See transport.Line."""
        if not self._is_paused and self.is_open:
            self._is_paused = self._is_resting = True
            self._transport.pause_reading()
            pace.rest(self._wake)

    def resume(self) -> None:
        """See transport.Line."""
        if self._is_paused:
            self._is_paused = self._is_resting = False
            if self.is_open:
                self._transport.resume_reading()

    def leave(self, *, is_complete: bool) -> None:
        """See transport.Line."""
        self._taker = None
        if not is_complete:
            self.close()
        elif self._is_answering:
            self.resume()
            self._lingering = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.close)

    def close(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    # ---- what the socket says --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_answering:
            self.close()  # nobody asked
            return
        self._size += len(data)
        is_sound = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:  # an upgrade is one too
            is_sound = False
        self._hand_on()
        if not is_sound or (not self._has_head and self._size > _LONGEST_HEAD):
            self._fail(UpstreamError())
        elif self._is_over:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self._when_lost(self)
        if self._is_answering:
            if error is None and self._has_head and self._ends_with_connection:
                self._end_answer()
            else:
                self._fail(DeadLine() if self._is_used and not self._size else UpstreamDown())
        del self._parser  # it knows us: nothing is left for the collector to find out

    # ---- what httptools reads in it --------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_over:
            self._may_stay = False  # more than one answer to one question: none of what follows is believed

    def on_header(self, name: bytes, value: bytes) -> None:
        told = name.lower()
        if told in HEADERS and not self._has_head:  # a trailer says nothing that we would believe
            self._headers[told.decode()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._is_over:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = {}
            return
        self._has_head = True
        if self._taker is not None:
            self._taker.begin(status, self._headers)

    def on_body(self, piece: bytes) -> None:
        if not self._is_over:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._has_head and not self._is_over:
            self._is_over = True
            self._may_stay = self._parser.should_keep_alive()  # the parser knows it here only

    # ---- how an answer ends ----------------------------------------------------------------------------------------

    def _hand_on(self) -> None:
        """All pieces of one read together: what arrived in one may leave in one."""
        if not self._pieces:
            return
        pieces, self._pieces = self._pieces, []
        if self._taker is not None:
            self._taker.take(b"".join(pieces))

    @property
    def _ends_with_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    def _expect(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers = {}
        self._pieces = []  # of the body, in this read
        self._size = 0  # bytes of this answer, head included
        self._has_head = self._is_over = self._may_stay = False

    def _finish(self) -> None:
        # A server that answered before it had read everything would read the rest as the next request.
        may_stay = self._may_stay and self.is_open and not self._transport.get_write_buffer_size()
        self.resume()
        self._is_used = True
        self._end_answer()
        if may_stay:
            self._when_idle(self)
        else:
            self.close()

    def _end_answer(self) -> None:
        taker = self._let_go()
        if taker is not None:
            taker.end()

    def _fail(self, error: UpstreamError) -> None:
        taker = self._let_go()
        self.close()
        if taker is not None:
            taker.fail(error)

    def _let_go(self) -> Taker | None:
        """Nothing more comes; who took what came, if they still do."""
        taker, self._taker, self._is_answering = self._taker, None, False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        return taker

    def _wake(self) -> None:
        if self._is_resting:
            self.resume()
