"""Every arrow of a reservation's life moves the books once, and a second attempt does nothing (C03, C04)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from accounts.models import User
from core import clock
from core.ids import new_id
from quotas import services
from quotas.models import Allowance, LedgerEntry, Reservation
from quotas.selectors import count_open, find_differences, list_expired, list_open
from quotas.types import EntryKind, State
from tests.quotas.conftest import Travel, reserve, use

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def counters() -> tuple[int, int]:
    allowance = Allowance.objects.get()
    return allowance.used, allowance.held


def state(call_id: UUID) -> str:
    return Reservation.objects.get(pk=call_id).state


def test_a_call_goes_from_held_to_closed_and_costs_its_prompt(sara: User) -> None:
    call_id = reserve(sara).call_id
    assert services.dispatch(call_id=call_id)
    assert services.settle(call_id=call_id)
    assert counters() == (1, 0)
    assert services.close(call_id=call_id)
    assert state(call_id) == State.CLOSED
    kinds = LedgerEntry.objects.order_by("id").values_list("kind", flat=True)
    assert list(kinds) == [EntryKind.RESERVE, EntryKind.SETTLE]


@pytest.mark.parametrize(
    ("way", "arrow", "end"),
    [
        ([], services.dispatch, State.DISPATCHED),
        ([services.dispatch], services.settle, State.SETTLED),
        ([services.dispatch, services.settle], services.close, State.CLOSED),
        ([], services.release, State.RELEASED),
        ([services.dispatch], services.release, State.RELEASED),
        ([services.dispatch, services.settle], services.reverse, State.REVERSED),
    ],
)
def test_c04_a_second_attempt_does_nothing(
    sara: User, way: list[Callable[..., bool]], arrow: Callable[..., bool], end: State
) -> None:
    call_id = reserve(sara).call_id
    for step in way:
        step(call_id=call_id)
    assert arrow(call_id=call_id) is True
    after = counters(), LedgerEntry.objects.count()
    assert arrow(call_id=call_id) is False
    assert (counters(), LedgerEntry.objects.count()) == after
    assert state(call_id) == end
    assert find_differences() == []


def test_arrows_that_do_not_exist_are_refused(sara: User) -> None:
    call_id = reserve(sara).call_id
    assert not services.settle(call_id=call_id)  # never dispatched
    assert not services.close(call_id=call_id)
    assert not services.reverse(call_id=call_id)
    services.release(call_id=call_id)
    assert not services.dispatch(call_id=call_id)
    assert not services.settle(call_id=new_id())
    assert counters() == (0, 0)


def test_c07_a_late_settle_after_a_release_never_charges(sara: User) -> None:
    call_id = reserve(sara).call_id
    services.dispatch(call_id=call_id)
    services.release(call_id=call_id)
    assert not services.settle(call_id=call_id)
    assert counters() == (0, 0)


def test_a_reversal_gives_the_prompt_back_by_a_new_entry(sara: User) -> None:
    call_id = reserve(sara).call_id
    services.dispatch(call_id=call_id)
    services.settle(call_id=call_id)
    assert services.reverse(call_id=call_id)
    assert counters() == (0, 0)
    assert LedgerEntry.objects.filter(kind=EntryKind.REVERSE, delta_used=-1).count() == 1


def test_the_sixth_reversal_of_a_day_is_closed_as_used_and_the_next_day_begins_anew(sara: User, travel: Travel) -> None:
    travel(NOON)
    calls = [reserve(sara).call_id for _ in range(7)]
    for call_id in calls:
        services.dispatch(call_id=call_id)
        services.settle(call_id=call_id)
    assert [services.reverse(call_id=call_id) for call_id in calls[:6]] == [True] * 5 + [False]
    assert state(calls[5]) == State.CLOSED
    assert counters() == (2, 0)
    travel(datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
    assert services.reverse(call_id=calls[6])
    assert find_differences() == []


def test_a_call_whose_lease_ran_out_before_content_comes_back(sara: User, travel: Travel) -> None:
    travel(NOON)
    held, sent = reserve(sara).call_id, reserve(sara).call_id
    services.dispatch(call_id=sent)
    travel(NOON + services.LEASE)
    ended = services.expire_reservations()
    assert {reservation.pk for reservation in ended} == {held, sent}
    assert {reservation.state for reservation in ended} == {State.RELEASED}
    assert counters() == (0, 0)
    assert LedgerEntry.objects.filter(kind=EntryKind.EXPIRE).count() == 2
    assert services.expire_reservations() == []


def test_a_call_whose_lease_ran_out_after_content_stays_used(sara: User, travel: Travel) -> None:
    travel(NOON)
    call_id = reserve(sara).call_id
    services.dispatch(call_id=call_id)
    services.settle(call_id=call_id)
    travel(NOON + services.LEASE)
    (ended,) = services.expire_reservations()
    assert (ended.state, counters()) == (State.CLOSED, (1, 0))


def test_c07_a_renewed_call_is_never_swept(sara: User, travel: Travel) -> None:
    travel(NOON)
    call_id, silent = reserve(sara).call_id, reserve(sara).call_id
    travel(NOON + timedelta(seconds=40))
    services.renew(call_ids=[call_id])
    travel(NOON + timedelta(seconds=99))
    assert [reservation.pk for reservation in services.expire_reservations()] == [silent]
    assert count_open(sara.pk) == 1
    assert services.expire(call_id=call_id) is None


def test_an_ended_call_cannot_be_renewed_to_life(sara: User) -> None:
    call_id = use(sara)
    before = Reservation.objects.get(pk=call_id).lease_until
    services.renew(call_ids=[call_id])
    assert Reservation.objects.get(pk=call_id).lease_until == before


def test_the_sweeper_takes_the_oldest_first_and_no_more_than_asked(sara: User, travel: Travel) -> None:
    calls = []
    for second in range(3):
        travel(NOON + timedelta(seconds=second))
        calls.append(reserve(sara).call_id)
    travel(NOON + timedelta(hours=1))
    assert list_expired(limit=2) == calls[:2]
    assert len(services.expire_reservations(limit=2)) == 2


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL sees the words in any case")
def test_who_looks_for_calls_that_run_does_not_read_all_that_ever_ran() -> None:
    for looked in (list_open(), list_open().filter(lease_until__lte=clock.now()).order_by("lease_until")):
        assert "USING INDEX reservation_open_user" in looked.explain()
