"""What a provider's no means: its status and its code, never its sentence."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

from core import clock
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamDown, UpstreamError, UpstreamRejected, UpstreamTimeout
from gateway.types import Chunk, Target
from gateway.upstreams.replies import FILTER_CODES, code_of

logger = logging.getLogger(__name__)

_MOST = 64 * 1024  # bytes of a refusal
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]*)?")


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
    asked = _asked_rest(headers)
    if status in (429, 529) or (status == 503 and asked):
        return UpstreamBusy() if asked is None else UpstreamBusy(retry_after=asked)
    if status in (400, 413, 422):
        return ContentFiltered() if code in FILTER_CODES else UpstreamRejected()
    return UpstreamDown() if status >= 500 else UpstreamError()


def _code_in(body: bytes) -> str:
    try:
        return code_of(orjson.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return ""


def _asked_rest(headers: Mapping[str, str]) -> float | None:
    """The seconds a provider asks to be left alone, by the more exact header; None where it says nothing clear."""
    milliseconds, told = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    if _NUMBER.fullmatch(told):
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is one of GMT, as all of HTTP's are.
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - clock.now()).total_seconds())
