"""What a provider's no means: its status and its code, never its sentence."""

import logging
from collections.abc import Mapping

import orjson

from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamDown, UpstreamError, UpstreamRejected, UpstreamTimeout
from gateway.types import Chunk, Target
from gateway.upstreams.replies import FILTER_CODES, code_of

logger = logging.getLogger(__name__)

_MOST = 64 * 1024  # bytes of a refusal


class Refusal:
    """Reads an answer that is none, as far as its code may stand."""

    def __init__(self, target: Target, status: int, headers: Mapping[str, str]) -> None:
        self._target, self._status, self._headers = target, status, headers
        self._body = b""

    @property
    def is_over(self) -> bool:
        return len(self._body) > _MOST

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        self._body += piece
        return []

    def finish(self) -> list[Chunk]:
        """Raises what the refusal means to us."""
        raise error_of(self._target, self._status, self._headers, self._body)


def error_of(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """What a refusal means to us. The log gets its status and code, never the provider's sentence."""
    code = _code_in(body)
    logger.warning("%s refused: %s %s", target.provider, status, code[:40])
    error = _meaning_of(status, code, headers)
    error.answered = status
    return error


def _meaning_of(status: int, code: str, headers: Mapping[str, str]) -> UpstreamError:
    if status in (408, 504):
        return UpstreamTimeout()
    if status in (429, 529):
        return UpstreamBusy(retry_after=_seconds(headers.get("retry-after", "")))
    if status in (400, 413, 422):
        return ContentFiltered() if code in FILTER_CODES else UpstreamRejected()
    return UpstreamDown() if status >= 500 else UpstreamError()


def _code_in(body: bytes) -> str:
    try:
        return code_of(orjson.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return ""


def _seconds(header: str) -> int:
    """The provider's retry-after, when it is a number of seconds that a client would wait for; else 10."""
    return min(int(header), 60) if header.isascii() and header.isdigit() else 10
