"""The ledger under real races, with threads and with server processes, on SQLite and PostgreSQL (C02, C04, C06)."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import cycle
from uuid import UUID

import pytest

from accounts.models import User
from core import clock
from core.errors import InvalidRequest
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, LedgerEntry, Quota, Reservation
from quotas.types import EntryKind, State
from tests.books import check_books
from tests.faults.length import how_many
from tests.quotas.conftest import Travel, reserve
from tests.racing import race
from tests.servers import database_url

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


def race_each(calls: Sequence[UUID], *arrows: Callable[..., object]) -> None:
    """All `arrows` at once on each of the calls in turn."""
    for call_id in calls:
        race([partial(arrow, call_id=call_id) for arrow in arrows])


@pytest.mark.parametrize("round_", range(how_many(3, 50)))
def test_c02_two_hundred_at_once_on_the_first_day_of_twenty_are_twenty(sara: User, round_: int) -> None:
    results = race([lambda: reserve(sara)] * 200)
    assert Counter(isinstance(result, QuotaExhausted) for result in results) == {False: 20, True: 180}
    allowance = Allowance.objects.get()  # two hundred came first, and one row was made
    assert (allowance.used, allowance.held) == (0, 20)
    assert Reservation.objects.count() == LedgerEntry.objects.count() == 20
    check_books()


def test_c02_four_server_processes_on_twenty_admit_twenty(sara: User) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.quotas.racer", str(sara.pk), "50"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"DATABASE_URL": database_url()},
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    admitted = [int(racer.communicate()[0]) for racer in racers]
    assert sum(admitted) == 20
    assert Allowance.objects.get().held == 20
    check_books()


def test_c04_an_answer_a_failure_and_four_sweepers_move_a_call_once(sara: User, travel: Travel) -> None:
    services.set_quota(limit=None)
    calls = [_dispatched(sara) for _ in range(15)]
    travel(clock.now() + services.LEASE)
    race_each(calls, services.settle, services.release, *[services.expire] * 4)
    moves = LedgerEntry.objects.exclude(kind=EntryKind.RESERVE)
    assert Counter(moves.values_list("reservation", flat=True)) == Counter(calls)
    check_books()
    assert Allowance.objects.get().held == 0


def test_c04_an_end_a_reversal_and_four_sweepers_end_a_call_once(sara: User, travel: Travel) -> None:
    services.set_quota(limit=None)
    calls = [_dispatched(sara) for _ in range(15)]
    for call_id in calls:
        services.settle(call_id=call_id)
    travel(clock.now() + services.LEASE)
    race_each(calls, services.close, services.reverse, services.reverse, *[services.expire] * 3)
    reversals = LedgerEntry.objects.filter(kind=EntryKind.REVERSE).count()
    states = Counter(Reservation.objects.values_list("state", flat=True))
    assert states[State.CLOSED] + states[State.REVERSED] == 15
    assert states[State.REVERSED] == reversals <= 5
    assert Allowance.objects.get().used == 15 - reversals
    check_books()


def test_c06_sweepers_at_once_end_every_dead_call_once(sara: User, omar: User, travel: Travel) -> None:
    services.set_quota(limit=None)
    for user in (sara, omar) * 20:
        reserve(user)
    travel(clock.now() + services.LEASE)
    ended = race([services.expire_reservations] * 4)
    assert sum(len(part) for part in ended if isinstance(part, list)) == 40
    assert LedgerEntry.objects.filter(kind=EntryKind.EXPIRE).count() == 40
    check_books()


def test_ten_failures_at_once_give_five_prompts_back(sara: User) -> None:
    calls = [_dispatched(sara) for _ in range(10)]
    for call_id in calls:
        services.settle(call_id=call_id)
    results = race([partial(services.reverse, call_id=call_id) for call_id in calls])
    assert Counter(results) == {True: 5, False: 5}
    assert Allowance.objects.get().used == 5


def test_grants_in_the_middle_of_a_race_are_all_there_and_none_is_spent_twice(sara: User) -> None:
    def give() -> object:
        return services.grant(user_id=sara.pk, amount=1, reason="more", by_id=None)

    def ask() -> object:
        return reserve(sara)

    results = race([ask, ask, ask, ask, give] * 10)
    admitted = 40 - sum(isinstance(result, QuotaExhausted) for result in results)
    allowance = Allowance.objects.get()
    assert allowance.granted == 10
    assert 20 <= admitted == allowance.held <= 30
    more = race([ask] * 15)
    assert 15 - sum(isinstance(result, QuotaExhausted) for result in more) == 30 - admitted
    check_books()


def test_the_same_rule_set_by_many_is_in_force_once(root: User) -> None:
    def set_to(limit: int) -> Callable[[], object]:
        return lambda: _set_or_refused(limit)

    race([set_to(limit) for limit in range(12)])
    assert Quota.objects.filter(ends_at=None).count() == 1


def test_c20_a_race_over_midnight_keeps_each_month_within_its_own_allowance(
    sara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = clock.start_of(clock.next_month(clock.local_day(clock.now()).replace(day=1)))
    instants = cycle([midnight - timedelta(microseconds=1), midnight])
    monkeypatch.setattr("core.clock.now", lambda: next(instants))
    results = race([lambda: reserve(sara)] * 100)
    assert [
        result for result in results if isinstance(result, Exception) and not isinstance(result, QuotaExhausted)
    ] == []
    assert sorted(row.held for row in Allowance.objects.all()) == [20, 20]


def _dispatched(user: User) -> UUID:
    call_id = reserve(user).call_id
    services.dispatch(call_id=call_id)
    return call_id


def _set_or_refused(limit: int) -> object:
    try:
        return services.set_quota(limit=limit)
    except InvalidRequest as refusal:
        return refusal
