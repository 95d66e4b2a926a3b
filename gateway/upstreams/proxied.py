"""The way to providers through an HTTP proxy (UPSTREAM_PROXY): aiohttp, which knows how to speak to one."""

import asyncio

import aiohttp
from django.conf import settings

from gateway.errors import UpstreamDown, UpstreamError, UpstreamTimeout
from gateway.upstreams.pacing import pace
from gateway.upstreams.transport import Request, Taker, make_ssl


class Proxied:
    """One session for all providers."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, taker: Taker, *, is_second: bool = False) -> "Line":
        """See Transport."""
        if self._session is None:
            # All of the way there: the proxy, its CONNECT and the provider's TLS. Reading is bounded by the relay,
            # which knows what it waits for.
            patience = aiohttp.ClientTimeout(total=None, connect=settings.UPSTREAM_CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=make_ssl(), limit=0), timeout=patience, auto_decompress=False
            )
        return Line(self._session, request, taker)

    async def close(self) -> None:
        """See Transport."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Line:
    """One request in a task of its own, which hands its answer to the taker."""

    def __init__(self, session: aiohttp.ClientSession, request: Request, taker: Taker) -> None:
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_resting = False
        self._task = asyncio.create_task(self._run(session, request, taker))

    def pause(self) -> None:
        """See transport.Line."""
        self._is_resting = False
        self._may_read.clear()

    def rest(self) -> None:
        """See transport.Line."""
        if self._may_read.is_set():
            self._may_read.clear()
            self._is_resting = True
            pace.rest(self._wake)

    def resume(self) -> None:
        """See transport.Line."""
        self._is_resting = False
        self._may_read.set()

    def leave(self, *, is_complete: bool) -> None:
        """See transport.Line."""
        self._task.cancel()

    def _wake(self) -> None:
        if self._is_resting:
            self.resume()

    async def _run(self, session: aiohttp.ClientSession, request: Request, taker: Taker) -> None:
        headers = {**request.headers, "content-type": request.kind, "accept-encoding": "identity"}
        try:
            async with session.post(
                request.url,
                data=request.body,
                headers=headers,
                proxy=settings.UPSTREAM_PROXY,
                allow_redirects=False,
            ) as response:
                taker.begin(response.status, {name.lower(): value for name, value in response.headers.items()})
                async for piece in response.content.iter_any():
                    taker.take(piece)
                    await self._may_read.wait()
                taker.end()
        except TimeoutError:
            taker.fail(UpstreamTimeout())
        except (aiohttp.ClientConnectionError, OSError):
            taker.fail(UpstreamDown())
        except (aiohttp.ClientError, ValueError):
            taker.fail(UpstreamError())
