"""One HTTP exchange over raw ASGI: the request's headers and body in, one answer or one stream out.

Django's handler does none of this for /v1, so here are its duties: known hosts, bounded bodies, a request id and the
error envelope on every answer.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from typing import Any

import orjson
from django.http.request import HttpRequest, split_domain_port, validate_host
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext_lazy as _

from core.chosen import chosen
from core.errors import DomainError, InvalidRequest, RequestTooSlow
from core.ids import new_id
from core.limiter import Attempts
from core.protocol import CLIENT, Client
from gateway.errors import RequestTooLarge
from gateway.wire import errors, sse
from gateway.wire.stepping import Watch, begin
from quotas.types import Standing, Unit

Message = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]

_BODY_SECONDS = 60  # a body that drips in slower than this is given up
_READER_SECONDS = 60  # a reader that takes nothing for so long has left (contract, C12)
STREAM_TYPE = "text/event-stream; charset=utf-8"
_STREAM_LINES = b"content-type: %b\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n" % STREAM_TYPE.encode()
_JSON_LINES = b"content-type: application/json\r\n"
_PROMPTS_LINES = b"x-ratelimit-limit-prompts: %d\r\nx-ratelimit-remaining-prompts: %d\r\n"
_REQUESTS_LINES = (  # of Attempts, in its order
    b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\nx-ratelimit-reset-requests: %ds\r\n"
)
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class ClientGone(Exception):
    """Nobody is there to read the answer."""


class Exchange:
    """One request and its answer. `standings` and `attempts` become headers as soon as they are known.

    Where the server has a direct way to the client it is taken while the client keeps up; else ASGI's.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.id = new_id()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.standings: tuple[Standing, ...] = ()
        self.attempts: Attempts | None = None
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        # The only place where an API key is looked for (contract, F03).
        match = _BEARER.fullmatch(self.header("authorization"))
        self.key = str(match[1]) if match else None
        self.is_remembered = bool(self.header("idempotency-key"))  # someone may ask for the answer again
        self._receive = receive
        self._send = send
        self._client: Client | None = scope.get("extensions", {}).get(CLIENT)
        self._began = time.perf_counter()
        self._last_write = 0.0
        self._unsent: asyncio.Future[None] | None = None  # a task that still sends
        self._is_gone = False
        self._is_started = False
        self._is_stream = False
        self._when_gone: Callable[[], None] = lambda: None

    @property
    def language(self) -> str:
        """The one of our languages that Accept-Language names; English for the many programs that send none."""
        return _language_of(self.header("accept-language"))

    def header(self, name: str) -> str:
        return self._headers.get(name.encode(), b"").decode("latin-1")

    def name_in(self, header: str, *, longest: int) -> str:
        """A header that names something: printable ASCII, or "" when absent.

        Raises:
            InvalidRequest: longer, or with other characters.
        """
        value = self.header(header).strip()
        if len(value) > longest or not (value.isascii() and (value.isprintable() or not value)):
            raise InvalidRequest(_("This header must be a short name in ASCII."), param=header)
        return value

    def check_host(self) -> None:
        """Raises InvalidRequest for a Host outside ALLOWED_HOSTS, as Django does for its pages."""
        if not _is_ours(self.header("host"), tuple(chosen("ALLOWED_HOSTS"))):
            raise InvalidRequest(_("This Host header is not one of ours."), param="Host")

    async def read_body(self) -> bytes:
        """The whole body.

        Raises:
            RequestTooLarge, RequestTooSlow, ClientGone: it is too large, takes too long, or never comes.
        """
        if self._client and (body := self._client.take_body()) is not None:
            if len(body) > chosen("MAX_REQUEST_BYTES"):
                raise RequestTooLarge
            return body  # it has come with its head, as most do
        length = self.header("content-length")
        if length.isdigit() and int(length) > chosen("MAX_REQUEST_BYTES"):
            raise RequestTooLarge
        first, rest = begin(self._receive())
        if rest is None and not first.get("more_body"):
            return await self._gather(first)  # nothing to wait for
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await self._gather(first if rest is None else await rest)
        except TimeoutError:
            raise RequestTooSlow from None

    async def _gather(self, message: Message) -> bytes:
        pieces, size = [], 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > chosen("MAX_REQUEST_BYTES"):
                raise RequestTooLarge
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self._receive()

    def attended(self, when_gone: Callable[[], None]) -> AbstractContextManager[None]:
        """Inside, `when_gone` is called as soon as the client hangs up, or takes nothing any more."""
        self._when_gone = when_gone
        if self._client:
            return self._client.attended(self._note_gone)
        return Watch(self._notice_leaving())

    @contextmanager
    def pinged(self) -> Iterator[None]:
        """Inside, a stream that is silent for PING_SECONDS says that it is alive, even before its first event."""
        self._last_write = time.monotonic()
        self._pinging = asyncio.get_running_loop().call_later(chosen("PING_SECONDS"), self._ping)
        try:
            yield
        finally:
            self._pinging.cancel()

    async def answer(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """The whole answer at once."""
        self._is_started = True
        client = self._open_way
        if headers is None and client and client.answer(status, self._make_lines(_JSON_LINES), body):
            return
        named = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        start = _make_start(status, self._make_lines(), named)
        await self._put(start, {"type": "http.response.body", "body": body})

    async def answer_json(self, value: object) -> None:
        await self.answer(orjson.dumps(value))

    def write_soon(self, piece: bytes) -> asyncio.Future[None] | None:
        """One piece of a stream; the first one starts it.

        Returns:
            None when the connection took it at once, which it mostly does; else what is done when it has, or when the
            client takes nothing any more.
        """
        self._last_write = time.monotonic()
        client = self._open_way
        if not self._is_started:
            return self._start_soon(client, piece)
        if client and client.write(piece):
            return None
        return self._send_soon(_more(piece))

    async def finish(self, piece: bytes) -> None:
        """The last piece of a stream."""
        client = self._open_way
        if not (client and client.end(piece)):
            await self._put({"type": "http.response.body", "body": piece})

    async def fail(self, error: DomainError) -> None:
        """The error, as far as there is still someone to tell: a status if nothing was sent yet, else an event."""
        with suppress(ClientGone):
            if not self._is_started:
                await self.answer(errors.render(error), status=error.status, headers=errors.list_headers(error))
            elif self._is_stream:
                await self.finish(sse.event(errors.render(error)))

    async def _notice_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._note_gone()

    def _ping(self) -> None:
        now, silence = time.monotonic(), chosen("PING_SECONDS")
        if now >= self._last_write + silence:
            self._last_write = now
            if self._unsent is None:
                self.write_soon(sse.PING)
        self._pinging = asyncio.get_running_loop().call_later(self._last_write + silence - now, self._ping)

    @property
    def _open_way(self) -> Client | None:
        """The direct way, if there is one and nobody else's bytes must go first."""
        return self._client if self._unsent is None else None

    def _start_soon(self, client: Client | None, piece: bytes) -> asyncio.Future[None] | None:
        self._is_started = self._is_stream = True
        lines = self._make_lines(_STREAM_LINES)
        if client and client.start(lines, piece):
            return None
        return self._send_soon(_make_start(200, lines), _more(piece))

    async def _put(self, *messages: Message) -> None:
        """Raises ClientGone: the client takes nothing any more."""
        slow = self._send_soon(*messages)
        if slow is not None:
            await slow
        if self._is_gone:
            raise ClientGone

    def _send_soon(self, *messages: Message) -> asyncio.Future[None] | None:
        """Send here and now what the connection takes; the rest in a task, after whatever else is unsent."""
        is_simple = self._unsent is None and len(messages) == 1
        work = self._send(messages[0]) if is_simple else self._send_all(messages, after=self._unsent)
        try:
            _done, rest = begin(work)
        except OSError:
            self._note_gone()
            return None
        if rest is None:
            return None
        self._unsent = asyncio.ensure_future(self._end_sending(rest))
        return self._unsent

    async def _send_all(self, messages: Iterable[Message], *, after: asyncio.Future[None] | None) -> None:
        if after is not None:
            await asyncio.shield(after)
        for message in messages:
            if self._is_gone:
                return
            await self._send(message)

    async def _end_sending(self, rest: Awaitable[None]) -> None:
        """What a slow reader leaves to do, as long as it reads at all."""
        this = asyncio.current_task()
        try:
            async with asyncio.timeout(_READER_SECONDS):
                await rest
        except (TimeoutError, OSError):
            self._note_gone()
        finally:
            if self._unsent is this:
                self._unsent = None

    def _note_gone(self) -> None:
        self._is_gone = True
        self._client = None
        self._when_gone()

    def _make_lines(self, own: bytes = b"") -> bytes:
        """The header lines of every answer, and its `own`: numbers, a UUID and constants, which need no look."""
        milliseconds = (time.perf_counter() - self._began) * 1000
        lines = b"x-request-id: %b\r\nopenai-processing-ms: %d\r\n" % (str(self.id).encode(), milliseconds)
        for prompts in self.standings:
            if prompts.unit == Unit.PROMPTS:
                if prompts.limit is not None:
                    lines += _PROMPTS_LINES % (prompts.limit, prompts.left or 0)
                    if prompts.window.ends_at is not None:
                        lines += b"x-ratelimit-reset-prompts: %d\r\n" % prompts.window.ends_at.timestamp()
                break
        return lines + own if self.attempts is None else lines + _REQUESTS_LINES % self.attempts + own


def _make_start(status: int, lines: bytes, headers: Mapping[str, str] | None = None) -> Message:
    """An answer's head as ASGI has it, with the `headers` that the server is to look at."""
    named = [line.partition(b": ")[::2] for line in lines.splitlines()]
    named += [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return {"type": "http.response.start", "status": status, "headers": named}


def _more(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}


@lru_cache(maxsize=1000)
def _is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


@lru_cache(maxsize=1000)
def _language_of(accepted: str) -> str:
    asked = HttpRequest()
    asked.META["HTTP_ACCEPT_LANGUAGE"] = accepted
    return get_language_from_request(asked)
