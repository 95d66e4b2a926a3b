"""Django's cache in Redis: while it is away each process remembers for itself, and hardly anybody waits for it (C13).

Sign-in counts its attempts here. A Redis that is down must lock nobody out, nor let anybody guess without end.
"""

import logging
from collections.abc import Callable
from functools import wraps
from pickle import PickleError
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from core.rest import ANSWER_SECONDS, Rest

logger = logging.getLogger(__name__)

_rest = Rest()  # of the process: Django makes a cache for each thread and each request


class SharedCache(RedisCache):
    """The cache of all processes, and in its absence this one's own."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        patience = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
        super().__init__(server, {**params, "OPTIONS": patience})
        self.own = LocMemCache("shared", params)  # by its name one for the process


def _with_an_own(name: str) -> Callable[..., Any]:
    """The method of that name, asked of Redis, or of this process while Redis is away or answers nonsense."""
    shared = getattr(RedisCache, name)

    @wraps(shared)
    def answer(cache: SharedCache, *args: Any, **kwargs: Any) -> Any:
        if _rest.is_over:
            try:
                return shared(cache, *args, **kwargs)
            except (RedisError, PickleError):
                logger.warning("Redis is away: each worker remembers for itself.")
                _rest.begin()
        return getattr(cache.own, name)(*args, **kwargs)

    return answer


_ASKED = "add get set touch delete has_key incr get_many set_many delete_many clear"
for _name in _ASKED.split():
    setattr(SharedCache, _name, _with_an_own(_name))
