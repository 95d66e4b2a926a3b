"""A Redis to put things into behind the back of what is tested."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis


@pytest.fixture
def redis(redis_url: str) -> Iterator[Any]:
    """Empty at first."""
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        yield redis
