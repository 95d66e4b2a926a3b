"""Django's cache in Redis: while it is away each process remembers for itself, and hardly anybody waits for it (C13).

Sign-in counts its attempts here. A Redis that is down must lock nobody out, nor let anybody guess without end. One that
lies is not believed: a value comes back under the key it was kept under, with our seal, or it is none. So nothing but
our own is ever unpickled.
"""

import pickle
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import ResponseError

from core.rest import ANSWER_SECONDS, Rest
from core.seals import seal, unseal

_rest = Rest()  # of the process: Django makes a cache for each thread and each request


class SharedCache(RedisCache):
    """The cache of all processes, and in its absence this one's own."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        patience = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
        super().__init__(server, {**params, "OPTIONS": {**patience, "serializer": _AsItIs}})
        self._class = _SealedClient
        self.own = LocMemCache("shared", params)  # by its name one for the process

    # By way of `get` and `set`: Redis itself can neither add to what is sealed nor read many seals.
    incr, get_many, set_many = BaseCache.incr, BaseCache.get_many, BaseCache.set_many


class _SealedClient(RedisCacheClient):
    """Seals what it keeps; a value without the right seal, or of another kind, is a value that is not there."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(super().add(key, _seal(key, value), timeout))

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        super().set(key, _seal(key, value), timeout)

    def get(self, key: Any, default: Any) -> Any:
        try:
            kept = super().get(key, b"")
        except ResponseError:  # it is no string
            return default
        value = unseal(_place(key), kept)
        return default if value is None else pickle.loads(value)  # noqa: S301  # our own


class _AsItIs:
    """Values reach Redis as the client above made them."""

    def dumps(self, value: bytes) -> bytes:
        return value

    loads = dumps


def _seal(key: str, value: Any) -> bytes:
    return seal(_place(key), pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def _place(key: str) -> str:
    """By the key too: what was kept under one is no answer to another."""
    return f"{__name__} {key}"


def _with_an_own(name: str) -> Callable[..., Any]:
    """The method of that name, asked of Redis, or of this process while Redis is away or answers nonsense."""
    shared = getattr(RedisCache, name)

    @wraps(shared)
    def answer(cache: SharedCache, *args: Any, **kwargs: Any) -> Any:
        return _rest.ask(lambda: shared(cache, *args, **kwargs), lambda: getattr(cache.own, name)(*args, **kwargs))

    return answer


_ASKED = "add get set touch delete has_key delete_many clear"
for _name in _ASKED.split():
    setattr(SharedCache, _name, _with_an_own(_name))
