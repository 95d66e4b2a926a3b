"""Many calls in one transaction: each decided as if it were alone, in a number of statements that does not grow."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core import clock
from core.errors import RateLimited, Refusal
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, LedgerEntry, Reservation
from quotas.selectors import find_differences
from quotas.services import Batch, Wish, open_batch
from quotas.types import Period, Purse, Reserved, State, Unit
from quotas.windows import BEGINNING
from tests.quotas import conftest
from tests.quotas.conftest import Travel, reserve

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]

wish_of = partial(conftest.wish_of, is_dispatched=True)


def admit(wishes: list[Wish]) -> list[Reserved | Refusal]:
    def attempt(batch: Batch, wish: Wish) -> Reserved | Refusal:
        try:
            return batch.reserve(wish)
        except Refusal as refusal:
            return refusal

    with open_batch(at=clock.now(), wishes=wishes) as batch:
        return [attempt(batch, wish) for wish in wishes]


def move(calls: list[UUID], arrow: Callable[[Batch, UUID], bool]) -> list[bool]:
    with open_batch(at=clock.now(), calls=calls, reversing=calls) as batch:
        return [arrow(batch, call_id) for call_id in calls]


def test_two_hundred_in_one_batch_on_twenty_are_twenty_and_each_is_told_its_own_rest(sara: User) -> None:
    decided = admit([wish_of(sara) for _ in range(200)])
    left = [answer.standings[0].left for answer in decided if isinstance(answer, Reserved)]
    assert left == list(reversed(range(20)))  # no two were told the same (C22)
    assert sum(isinstance(answer, QuotaExhausted) for answer in decided) == 180
    assert Reservation.objects.filter(state=State.DISPATCHED).count() == LedgerEntry.objects.count() == 20
    assert find_differences() == []


def test_a_batch_takes_as_many_statements_for_fifty_as_for_one(sara: User, omar: User) -> None:
    services.set_quota(limit=None)

    def count(size: int) -> list[int]:
        wishes = [wish_of(person) for person in [sara, omar] * size][:size]
        calls = [wish.call_id for wish in wishes]
        counts = []
        for work in (
            lambda: admit(wishes),
            lambda: move(calls, lambda batch, call_id: batch.settle(call_id) and batch.close(call_id)),
        ):
            with CaptureQueriesContext(connection) as queries:
                work()
            counts.append(len(queries))
        return counts

    count(2)  # makes the purses of both
    assert count(1) == count(50)


def test_a_refusal_costs_the_others_of_its_batch_nothing(sara: User, omar: User) -> None:
    reserve(sara, prompts=20)
    first, second, third = admit([wish_of(omar), wish_of(sara), wish_of(omar)])
    assert isinstance(second, QuotaExhausted)
    assert [a.standings[0].left for a in (first, third) if isinstance(a, Reserved)] == [19, 18]
    assert find_differences() == []


def test_calls_that_end_in_the_batch_make_room_for_others_at_once(sara: User) -> None:
    running = [wish_of(sara, most_open=2) for _ in range(3)]
    assert [isinstance(answer, RateLimited) for answer in admit(running)] == [False, False, True]
    wish = wish_of(sara, most_open=2)
    with open_batch(at=clock.now(), wishes=[wish], calls=[running[0].call_id]) as batch:
        assert batch.settle(running[0].call_id)
        assert batch.close(running[0].call_id)
        assert batch.reserve(wish)
    assert find_differences() == []


def test_five_reversals_of_a_day_are_five_in_one_batch_too(sara: User) -> None:
    wishes = [wish_of(sara) for _ in range(7)]
    admit(wishes)
    calls = [wish.call_id for wish in wishes]
    assert all(move(calls, Batch.settle))
    assert move(calls, Batch.reverse) == [True] * 5 + [False] * 2
    assert Allowance.objects.get().used == 2
    assert find_differences() == []


def test_a_bug_takes_the_whole_batch_back(sara: User) -> None:
    wishes = [wish_of(sara) for _ in range(3)]
    with pytest.raises(ZeroDivisionError), transaction.atomic(), open_batch(at=clock.now(), wishes=wishes) as batch:
        batch.reserve(wishes[0])
        raise ZeroDivisionError
    assert not Reservation.objects.exists()


def extra(user: User, purse: Purse, granted: int, days: int | None = None) -> Allowance:
    expires_at = clock.now() + timedelta(days=days) if days is not None else None
    kept = {"unit": Unit.PROMPTS, "period": Period.ONCE, "window_start": BEGINNING}
    return Allowance.objects.create(user=user, purse=purse, granted=granted, expires_at=expires_at, **kept)


def test_the_periods_units_go_first_then_grants_by_expiry_then_what_was_purchased(sara: User) -> None:
    purchased = extra(sara, Purse.PURCHASED, 5)
    late, soon = extra(sara, Purse.GRANT, 2, days=9), extra(sara, Purse.GRANT, 2, days=3)
    extra(sara, Purse.GRANT, 100, days=-1)  # over
    reserve(sara, prompts=18)
    (answer,) = admit([wish := wish_of(sara, prompts=7)])
    assert isinstance(answer, Reserved)
    assert answer.standings[0].left == 4
    parts = LedgerEntry.objects.filter(reservation=wish.call_id).order_by("id").values_list("allowance", "delta_held")
    assert list(parts)[1:] == [(soon.pk, 2), (late.pk, 2), (purchased.pk, 1)]
    (refused,) = admit([wish_of(sara, prompts=5)])
    assert isinstance(refused, QuotaExhausted)


def test_what_a_call_did_not_need_comes_back_to_the_purses_that_came_last(sara: User) -> None:
    purchased = extra(sara, Purse.PURCHASED, 5)
    reserve(sara, prompts=18)
    (wish,) = wishes = [wish_of(sara, prompts=4)]
    admit(wishes)
    assert move([wish.call_id], lambda batch, call_id: batch.settle(call_id, {Unit.PROMPTS: 3}))
    purchased.refresh_from_db()
    assert (purchased.used, purchased.held) == (1, 0)
    assert move([wish.call_id], lambda batch, call_id: batch.close(call_id, {Unit.PROMPTS: 1}))
    purchased.refresh_from_db()
    assert purchased.used == 0
    assert Allowance.objects.get(purse=Purse.PERIOD).used == 1


@pytest.mark.django_db(transaction=True)
def test_of_calls_that_may_run_at_once_one_whose_lease_has_run_out_is_none(sara: User, travel: Travel) -> None:
    begun = clock.now()
    travel(begun)
    first, second, third = (wish_of(sara)._replace(most_open=1) for _ in range(3))
    (allowed,) = admit([first])
    (refused,) = admit([second])
    assert isinstance(allowed, Reserved)
    assert isinstance(refused, RateLimited)
    travel(begun + services.LEASE)
    (allowed,) = admit([third])
    assert isinstance(allowed, Reserved)
    assert find_differences() == []
