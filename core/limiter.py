"""Calls per hour and person: protects the machine and the provider's patience, never the quota (D6, D17).

Redis counts for all workers when REDIS_URL is set; while it is away each worker counts for itself.
"""

import math
import time
from functools import partial
from threading import Lock
from typing import NamedTuple, Protocol

from django.conf import settings
from django.utils.translation import gettext as _
from limits.storage import RedisStorage

from core import clock
from core.chosen import chosen
from core.errors import RateLimited
from core.rest import ANSWER_SECONDS, Rest

_HOUR = 3600  # it begins with a person's first attempt
_MOST_KEPT = 100_000


class _Counter(Protocol):
    def count(self, person: str, now: float) -> tuple[int, float]:
        """Count one attempt: how many there are in the person's hour, and the moment at which it ends."""

    def reset(self) -> object: ...


class _Own:
    """Counts of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hours: dict[str, tuple[int, float]] = {}

    def count(self, person: str, now: float) -> tuple[int, float]:
        with self._lock:
            count, ends_at = self._hours.get(person, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + _HOUR
                if len(self._hours) >= _MOST_KEPT:
                    self._hours = {one: hour for one, hour in self._hours.items() if hour[1] > now}
            hour = self._hours[person] = count + 1, ends_at
            return hour

    def reset(self) -> None:
        self._hours.clear()


class _Shared:
    """Counts in Redis; those of this process while Redis is away."""

    def __init__(self) -> None:
        self._redis = RedisStorage(
            settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        )
        self._own = _Own()
        self._rest = Rest()

    def count(self, person: str, now: float) -> tuple[int, float]:
        return self._rest.ask(partial(self._count, f"attempts/{person}"), partial(self._own.count, person, now))

    def _count(self, key: str) -> tuple[int, float]:
        count, ends_at = self._redis.incr(key, _HOUR), self._redis.get_expiry(key)
        if ends_at <= time.time():  # it is over, or was put there without an end
            self._redis.clear(key)
        return count, ends_at

    def reset(self) -> None:
        self._rest.end()
        self._own.reset()
        self._redis.reset()


_counter: _Counter = _Shared() if settings.REDIS_URL else _Own()


class Attempts(NamedTuple):
    """Where a person stands: `left` of `limit` calls until the count begins anew in `resets_in` seconds."""

    limit: int
    left: int
    resets_in: int


class TooManyAttempts(RateLimited):
    """The person's hour is full; `attempts` says how full, and for how long."""

    def __init__(self, attempts: Attempts) -> None:
        super().__init__(
            _("You have tried %(count)d times in an hour. Wait a little and try again. Nothing was charged.")
            % {"count": attempts.limit},
            retry_after=attempts.resets_in,
        )
        self.attempts = attempts


def check_attempts(*, user_id: int, most: int | None = None) -> Attempts | None:
    """Count one attempt of the person; None when there is no limit (0).

    Args:
        most: in an hour, by the rule that holds for the person; None: MAX_ATTEMPTS_PER_HOUR.

    Raises:
        TooManyAttempts: that was one too many.
    """
    most = chosen("MAX_ATTEMPTS_PER_HOUR") if most is None else most
    if not most:
        return None
    now = clock.now().timestamp()
    count, ends_at = _counter.count(str(user_id), now)
    attempts = Attempts(most, max(0, most - count), max(1, math.ceil(ends_at - now)))
    if count > most:
        raise TooManyAttempts(attempts)
    return attempts


def forget_attempts() -> None:
    """Let everyone begin anew: for an operator after a mistake, and between tests."""
    _counter.reset()
