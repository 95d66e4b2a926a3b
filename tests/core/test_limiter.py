"""Attempts in Redis, whatever somebody else put there."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from core.limiter import _Shared

KEY = "LIMITS:attempts/1"

pytestmark = pytest.mark.redis


@pytest.fixture
def shared(redis: Any, redis_url: str, settings: LazySettings) -> Iterator[_Shared]:
    settings.REDIS_URL = redis_url
    shared = _Shared()
    yield shared
    shared._redis.storage.connection_pool.close()


def test_a_count_without_an_end_is_nobodys_for_ever(shared: _Shared, redis: Any) -> None:
    redis.set(KEY, 5)
    now = time.time()
    counts = [shared.count("1", now)[0] for _ in range(3)]
    assert counts == [6, 1, 2]
    assert redis.ttl(KEY) > 3000
