"""Calls per hour and person: protects the machine and the provider's patience, never the quota (D6, D17).

Redis counts for all workers when REDIS_URL is set; while it is away each worker counts for itself.
"""

import logging
import math
import time
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.utils.translation import gettext as _
from limits import RateLimitItemPerHour
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from core import clock
from core.errors import RateLimited

logger = logging.getLogger(__name__)

_SECONDS = 0.25  # how long one answer of Redis is worth waiting for
_REST_SECONDS = 1.0


def _storage() -> MemoryStorage | RedisStorage:
    if not settings.REDIS_URL:
        return MemoryStorage()
    return RedisStorage(
        settings.REDIS_URL, wrap_exceptions=True, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
    )


class _Rest:
    """The time after a failure of Redis in which nobody asks it: each question could cost all of its patience."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_on(self) -> bool:
        return self._until > time.monotonic()

    def begin(self) -> None:
        self._until = time.monotonic() + _REST_SECONDS

    def end(self) -> None:
        self._until = 0.0


_rest = _Rest()
_per_hour = lru_cache(RateLimitItemPerHour)
_shared = FixedWindowRateLimiter(_storage())
_own = FixedWindowRateLimiter(MemoryStorage())


@dataclass(frozen=True, slots=True)
class Attempts:
    """Where a person stands: `left` of `limit` calls until the count begins anew in `resets_in` seconds."""

    limit: int
    left: int
    resets_in: int


def check_attempts(*, user_id: int, most: int | None = None) -> Attempts | None:
    """Count one attempt of the person; None when there is no limit (0).

    Args:
        most: in an hour, by the rule that holds for the person; None: MAX_ATTEMPTS_PER_HOUR.

    Raises:
        RateLimited: that was one too many; the header says how long to wait.
    """
    most = settings.MAX_ATTEMPTS_PER_HOUR if most is None else most
    if not most:
        return None
    limit = _per_hour(most)
    try:
        is_allowed, attempts = _count(_own if _rest.is_on() else _shared, limit, str(user_id))
    except StorageError:
        logger.warning("Redis is away: attempts are counted by each worker for itself.")
        _rest.begin()
        is_allowed, attempts = _count(_own, limit, str(user_id))
    if not is_allowed:
        raise RateLimited(
            _("You have tried %(count)d times in an hour. Wait a little and try again. Nothing was charged.")
            % {"count": attempts.limit},
            retry_after=attempts.resets_in,
        )
    return attempts


def forget_attempts() -> None:
    """Let everyone begin anew: for an operator after a mistake, and between tests."""
    _rest.end()
    for limiter in (_shared, _own):
        limiter.storage.reset()


def _count(limiter: FixedWindowRateLimiter, limit: RateLimitItemPerHour, person: str) -> tuple[bool, Attempts]:
    # What a fixed window does, in two questions to the storage instead of three.
    key = limit.key_for(person)
    count = limiter.storage.incr(key, limit.get_expiry())
    resets_in = max(1, math.ceil(limiter.storage.get_expiry(key) - clock.now().timestamp()))
    return count <= limit.amount, Attempts(limit.amount, max(0, limit.amount - count), resets_in)
