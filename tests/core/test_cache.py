"""The shared cache believes of Redis what it kept there itself, and nothing else (contract, C13)."""

import os
import pickle
from collections.abc import Iterator
from datetime import date
from typing import Any
from unittest.mock import patch

import pytest

from core.cache import SharedCache
from core.rest import Rest

pytestmark = pytest.mark.redis


class Trap:
    """What runs a command wherever it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.abort, ()


LIES = {
    "nothing": b"",
    "a number": b"5",
    "bytes": bytes(range(100, 200)),
    "no seal": pickle.dumps([1.5]),
    "a trap": b"\0" * 32 + pickle.dumps(Trap()),
}


@pytest.fixture
def shared(redis: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedCache]:
    monkeypatch.setattr("core.cache._rest", Rest())
    shared = SharedCache(redis_url, {})
    monkeypatch.setattr(shared, "own", None)  # whatever is answered comes from Redis
    yield shared
    shared._cache.get_client().connection_pool.close()


@pytest.mark.parametrize("value", [[1.5], (1, "a"), {3}, b"packed", date(2026, 11, 1), True, 7, "", None])
def test_what_was_kept_comes_back_as_it_was(shared: SharedCache, value: object) -> None:
    shared.set("key", value)
    assert shared.add("key", "another") is False
    assert (found := shared.get("key", "missed")) == value and type(found) is type(value)
    assert shared.get_many(["key", "unknown"]) == {"key": value}


def test_numbers_count_on(shared: SharedCache) -> None:
    shared.set_many({"key": 7})
    assert (shared.incr("key", 2), shared.decr("key"), shared.get("key")) == (9, 8, 8)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_somebody_else_put_there_is_not_there(shared: SharedCache, redis: Any, lie: bytes) -> None:
    shared.set("key", "ours")
    redis.set(shared.make_key("key"), lie)
    assert shared.get("key", "missed") == "missed"
    shared.set("key", "ours again")
    assert shared.get("key") == "ours again"


def test_a_value_of_another_kind_is_not_there(shared: SharedCache, redis: Any) -> None:
    redis.rpush(shared.make_key("key"), "garbage")
    assert shared.get("key", "missed") == "missed"
    shared.set("key", "ours again")
    assert shared.get("key") == "ours again"


def test_what_was_kept_under_another_key_or_another_secret_is_not_there(shared: SharedCache, redis: Any) -> None:
    shared.set("another", "theirs")
    redis.copy(shared.make_key("another"), shared.make_key("key"))
    with patch("django.conf.settings.SECRET_KEY", "a former one"):
        shared.set("old", "ours")
    assert shared.get_many(["key", "old", "another"]) == {"another": "theirs"}
