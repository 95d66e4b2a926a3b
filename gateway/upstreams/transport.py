"""What the adapters expect of a way to a provider: a request out, an answer handed on as it comes.

Two ways fill it: http1.py, our own, and proxied.py where an HTTP proxy stands in between.
"""

import ssl
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from gateway.errors import UpstreamDown, UpstreamError

# Of an answer's headers, of which a provider may send dozens, those that somebody here reads.
HEADERS = frozenset({b"content-encoding", b"content-length", b"retry-after", b"retry-after-ms", b"transfer-encoding"})
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Request(NamedTuple):
    """One POST. `headers` are ours alone: what describes the body and the connection is added on the way."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    kind: str = "application/json"


class Taker(Protocol):
    """Takes one answer: `begin`, any number of `take`, then `end`, or `fail` at any time. None of them may raise."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has arrived; `headers` has those of HEADERS that it has, and may have others, in lower case."""
        ...

    def take(self, piece: bytes) -> None:
        """A piece of the body."""
        ...

    def end(self) -> None:
        """The body is complete."""
        ...

    def fail(self, error: UpstreamError) -> None:
        """The answer is not going to be complete."""
        ...


class Line(Protocol):
    """The connection one answer comes over."""

    def pause(self) -> None:
        """Read no more until `resume`: the provider waits, in its own buffers."""
        ...

    def rest(self) -> None:
        """Read no more for as long as a busy process pauses (pacing.py)."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def leave(self, *, is_complete: bool) -> None:
        """Nobody takes the rest of an answer that has not ended: hang up, unless it
        is complete and only its last bytes are missing."""
        ...


class Transport(Protocol):
    """A way to providers."""

    async def send(self, request: Request, taker: Taker, *, is_second: bool = False) -> Line:
        """Send a request; its answer goes to the taker.

        Args:
            is_second: a kept connection was found dead with nothing sent back, so take a new one.

        Raises:
            UpstreamDown, UpstreamTimeout: no connection could be made.
        """
        ...

    async def close(self) -> None:
        """Close what is idle."""
        ...


class DeadLine(UpstreamDown):
    """A kept connection turned out to be closed: nothing was sent back, so the request may be sent once more."""


def is_near(address: str) -> bool:
    """Whether a URL leads to this machine, and so past any proxy."""
    return urlsplit(address).hostname in _LOOPBACK


def make_ssl() -> ssl.SSLContext:
    """Certificates are verified against the system's authorities, and against UPSTREAM_CA_FILE's."""
    context = ssl.create_default_context()
    if settings.UPSTREAM_CA_FILE:
        context.load_verify_locations(settings.UPSTREAM_CA_FILE)
    return context
