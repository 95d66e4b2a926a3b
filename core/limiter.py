"""Calls per hour and person: protects the machine and the provider's patience, never the quota (D6, D17).

Redis counts for all workers when REDIS_URL is set; while it is away each worker counts for itself.
"""

import logging

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


def _storage() -> MemoryStorage | RedisStorage:
    if not settings.REDIS_URL:
        return MemoryStorage()
    return RedisStorage(
        settings.REDIS_URL, wrap_exceptions=True, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
    )


_shared = FixedWindowRateLimiter(_storage())
_own = FixedWindowRateLimiter(MemoryStorage())


def check_attempts(*, user_id: int) -> None:
    """Count one attempt of the person, at most MAX_ATTEMPTS_PER_HOUR (0: no limit).

    Raises:
        RateLimited: that was one too many; the header says how long to wait.
    """
    if not settings.MAX_ATTEMPTS_PER_HOUR:
        return
    limit = RateLimitItemPerHour(settings.MAX_ATTEMPTS_PER_HOUR)
    try:
        _check(_shared, limit, str(user_id))
    except StorageError:
        logger.warning("Redis is away: attempts are counted by each worker for itself.")
        _check(_own, limit, str(user_id))


def forget_attempts() -> None:
    """Let everyone begin anew: for an operator after a mistake, and between tests."""
    for limiter in (_shared, _own):
        limiter.storage.reset()


def _check(limiter: FixedWindowRateLimiter, limit: RateLimitItemPerHour, person: str) -> None:
    if not limiter.hit(limit, person):
        resets_at = limiter.get_window_stats(limit, person).reset_time
        raise RateLimited(
            _("You have tried %(count)d times in an hour. Wait a little and try again. Nothing was charged.")
            % {"count": limit.amount},
            retry_after=int(resets_at - clock.now().timestamp()) + 1,
        )
