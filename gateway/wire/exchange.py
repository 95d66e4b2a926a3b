"""One HTTP exchange over raw ASGI: the request's headers and body in, one answer or one stream out.

Django's handler does none of this for /v1, so here are its duties: known hosts, bounded bodies, a request id and the
error envelope on every answer.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from django.conf import settings
from django.http.request import HttpRequest, split_domain_port, validate_host
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext_lazy as _

from core import clock
from core.errors import DomainError, InvalidRequest
from core.ids import new_id
from core.limiter import Attempts
from gateway.errors import RequestTooLarge, RequestTooSlow
from gateway.wire import errors, sse
from quotas.types import Standing, Unit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODY_SECONDS = 60  # a body that drips in slower than this is given up
_READER_SECONDS = 60  # a reader that takes nothing for so long has left (contract, C12)
STREAM_TYPE = "text/event-stream; charset=utf-8"
_STREAM_HEADERS = {"content-type": STREAM_TYPE, "cache-control": "no-cache", "x-accel-buffering": "no"}
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class ClientGone(Exception):
    """Nobody is there to read the answer."""


class Exchange:
    """One request and its answer. `standings` and `attempts` become headers as soon as they are known."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.id = new_id()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.standings: tuple[Standing, ...] = ()
        self.attempts: Attempts | None = None
        self._headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._receive = receive
        self._send = send
        self._started_at = clock.now()
        self._turn = asyncio.Lock()
        self._last_write = 0.0
        self._is_started = False
        self._is_stream = False
        self._when_gone: Callable[[], None] = lambda: None

    @property
    def key(self) -> str | None:
        """The API key of the Authorization header, the only place where one is looked for (contract, F03)."""
        match = _BEARER.fullmatch(self.header("authorization"))
        return str(match[1]) if match else None

    @property
    def language(self) -> str:
        """The one of our languages that Accept-Language names; English for the many programs that send none."""
        asked = HttpRequest()
        asked.META["HTTP_ACCEPT_LANGUAGE"] = self.header("accept-language")
        return get_language_from_request(asked)

    def header(self, name: str) -> str:
        return self._headers.get(name, "")

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
        domain, _port = split_domain_port(self.header("host"))
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
            raise InvalidRequest(_("This Host header is not one of ours."), param="Host")

    async def read_body(self) -> bytes:
        """The whole body.

        Raises:
            RequestTooLarge, RequestTooSlow, ClientGone: it is too large, takes too long, or never comes.
        """
        length = self.header("content-length")
        if length.isdigit() and int(length) > settings.MAX_REQUEST_BYTES:
            raise RequestTooLarge
        pieces, size = [], 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > settings.MAX_REQUEST_BYTES:
                        raise RequestTooLarge
                    if not message.get("more_body"):
                        return b"".join(pieces)
        except TimeoutError:
            raise RequestTooSlow from None

    @asynccontextmanager
    async def attended(self, when_gone: Callable[[], None]) -> AsyncIterator[None]:
        """Inside, `when_gone` is called as soon as the client hangs up, or takes nothing any more."""

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            when_gone()

        self._when_gone = when_gone
        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            await _end(watcher)

    @asynccontextmanager
    async def pinged(self) -> AsyncIterator[None]:
        """Inside, a stream that is silent for PING_SECONDS says that it is alive, even before its first event."""

        async def ping() -> None:
            self._last_write = _now()
            while True:
                pause = self._last_write + settings.PING_SECONDS - _now()
                if pause > 0:
                    await asyncio.sleep(pause)
                else:
                    await self.write(sse.PING)

        pinger = asyncio.create_task(ping())
        try:
            yield
        finally:
            await _end(pinger)

    async def answer(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """The whole answer at once."""
        named = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        await self._start(status, named)
        await self._put({"type": "http.response.body", "body": body})

    async def answer_json(self, value: object) -> None:
        await self.answer(orjson.dumps(value))

    async def write(self, piece: bytes) -> None:
        """One piece of a stream; the first one starts it.

        Raises:
            ClientGone: the client takes nothing any more.
        """
        async with self._turn:
            if not self._is_started:
                self._is_stream = True
                await self._start(200, _STREAM_HEADERS)
            await self._put({"type": "http.response.body", "body": piece, "more_body": True})
            self._last_write = _now()

    async def finish(self, piece: bytes) -> None:
        """The last piece of a stream."""
        await self._put({"type": "http.response.body", "body": piece})

    async def fail(self, error: DomainError) -> None:
        """The error, as far as there is still someone to tell: a status if nothing was sent yet, else an event."""
        with suppress(ClientGone):
            if not self._is_started:
                await self.answer(errors.render(error), status=error.status, headers=errors.list_headers(error))
            elif self._is_stream:
                await self.finish(sse.event(errors.render(error)))

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self._is_started = True
        named = {**self._list_common_headers(), **headers}
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
        await self._put({"type": "http.response.start", "status": status, "headers": encoded})

    async def _put(self, message: Message) -> None:
        try:
            async with asyncio.timeout(_READER_SECONDS):
                await self._send(message)
        except (TimeoutError, OSError) as error:
            self._when_gone()
            raise ClientGone from error

    def _list_common_headers(self) -> dict[str, str]:
        headers = {
            "x-request-id": str(self.id),
            "openai-processing-ms": str(int((clock.now() - self._started_at).total_seconds() * 1000)),
        }
        prompts = next((standing for standing in self.standings if standing.unit == Unit.PROMPTS), None)
        if prompts is not None and prompts.limit is not None:
            headers["x-ratelimit-limit-prompts"] = str(prompts.limit)
            headers["x-ratelimit-remaining-prompts"] = str(prompts.left)
            if prompts.window.ends_at is not None:
                headers["x-ratelimit-reset-prompts"] = str(int(prompts.window.ends_at.timestamp()))
        if self.attempts is not None:
            headers["x-ratelimit-limit-requests"] = str(self.attempts.limit)
            headers["x-ratelimit-remaining-requests"] = str(self.attempts.left)
            headers["x-ratelimit-reset-requests"] = f"{self.attempts.resets_in}s"
        return headers


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a helper; what it died of is the main path's to find out, which uses the same connection."""
    task.cancel()
    with suppress(asyncio.CancelledError, ClientGone):
        await task
