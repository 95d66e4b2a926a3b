"""On SQLite a batch knows what the last one left, as long as nobody else has written; on PostgreSQL it reads all."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core import clock
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.selectors import find_differences, nearest_standing
from quotas.services import Wish, open_batch
from tests.quotas.conftest import principal, wish_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL cannot say that nobody has written"),
]


def attempt(wish: Wish) -> None:
    with open_batch(at=clock.now(), wishes=[wish]) as batch, suppress(QuotaExhausted):
        batch.reserve(wish)


def test_what_nobody_has_touched_since_the_last_batch_is_not_read_again(sara: User) -> None:
    def count_questions(work: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as queries:
            work()
        return sum(query["sql"].startswith(("select", "with")) for query in queries.captured_queries)

    first, second, third = (wish_of(sara)._replace(most_open=4) for _ in range(3))
    attempt(first)
    assert count_questions(lambda: attempt(second)) == 0
    assert count_questions(lambda: services.settle(call_id=first.call_id)) == 0
    attempt(wish_of(sara, prompts=100))  # is refused
    assert count_questions(lambda: services.close(call_id=first.call_id)) == 0
    services.grant(user_id=sara.pk, amount=5, reason="for the test", by_id=None)
    assert count_questions(lambda: attempt(third)) == 1
    assert nearest_standing(principal(sara)).left == 22
    assert find_differences() == []
