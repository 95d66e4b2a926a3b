"""Django's cache in Redis: while it is away each process remembers for itself, and nobody waits for it (C13).

Sign-in counts its attempts here. A Redis that is down must lock nobody out, nor let anybody guess without end.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from pickle import PickleError
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from core.limiter import REST_SECONDS, SECONDS

logger = logging.getLogger(__name__)


class SharedCache(RedisCache):
    """The cache of all processes, and in its absence this one's own."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, {**params, "OPTIONS": {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}})
        self.own = LocMemCache("shared", params)
        self.rests_until = 0.0


def _with_an_own(name: str) -> Callable[..., Any]:
    """The method of that name, asked of Redis, or of this process while Redis is away or answers nonsense."""
    shared = getattr(RedisCache, name)

    @wraps(shared)
    def answer(cache: SharedCache, *args: Any, **kwargs: Any) -> Any:
        if cache.rests_until <= time.monotonic():
            try:
                return shared(cache, *args, **kwargs)
            except (RedisError, PickleError):
                logger.warning("Redis is away: each worker remembers for itself.")
                cache.rests_until = time.monotonic() + REST_SECONDS
        return getattr(cache.own, name)(*args, **kwargs)

    return answer


_ASKED = "add get set touch delete has_key incr get_many set_many delete_many clear"
for _name in _ASKED.split():
    setattr(SharedCache, _name, _with_an_own(_name))
