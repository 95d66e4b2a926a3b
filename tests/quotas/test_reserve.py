"""Admission: room under every quota that matches, or nothing at all (C02, D8, D12)."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.types import Role
from core.ids import new_id
from core.types import Operation
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, LedgerEntry, Reservation
from quotas.selectors import find_differences, list_standings, nearest_standing
from quotas.types import EntryKind, Period, State, Subject, Unit
from tests.quotas.conftest import Travel, principal, reserve, use


def test_a_reserved_prompt_is_held_and_written_in_the_books(sara: User) -> None:
    services.install_default_quota()
    reserved = reserve(sara)
    standing = reserved.standings[0]
    assert (standing.limit, standing.used, standing.held, standing.left) == (20, 0, 1, 19)
    assert Reservation.objects.get(pk=reserved.call_id).state == State.HELD
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.delta_held, entry.held_after, entry.left_after) == (EntryKind.RESERVE, 1, 1, 19)
    assert list_standings(principal(sara)) == [standing]


def test_the_normal_path_takes_few_statements(sara: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    use(sara)
    # rules, purses, counters, reservation, entry; and the test's own savepoint
    with django_assert_num_queries(5 + 2):
        call_id = reserve(sara).call_id
    with django_assert_num_queries(2):  # reservation with purses and earlier entries; state
        services.dispatch(call_id=call_id)
    with django_assert_num_queries(4):  # the same, counters, entry
        services.settle(call_id=call_id)
    with django_assert_num_queries(2):
        services.close(call_id=call_id)


def test_a_purse_that_was_taken_back_with_its_transaction_is_made_again(sara: User) -> None:
    with transaction.atomic():
        reserve(sara)
        transaction.set_rollback(True)
    assert not Allowance.objects.exists()
    reserve(sara)
    assert Allowance.objects.values_list("used", "held").get() == (0, 1)
    assert find_differences() == []


def test_the_twenty_first_prompt_is_refused_by_name_with_its_reset(sara: User, travel: Travel) -> None:
    travel(datetime(2026, 11, 22, 7, 0, tzinfo=UTC))
    for _ in range(20):
        use(sara)
    with pytest.raises(QuotaExhausted) as refusal:
        reserve(sara)
    assert refusal.value.standing.name == "20 prompts per month"
    assert refusal.value.standing.window.ends_at == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert refusal.value.headers["x-should-retry"] == "false"
    assert Reservation.objects.count() == 20
    assert find_differences() == []


def test_a_new_month_brings_new_prompts_and_the_old_call_stays_in_its_month(sara: User, travel: Travel) -> None:
    travel(datetime(2026, 11, 30, 15, 59, 59, 999999, tzinfo=UTC))
    old = reserve(sara, prompts=20).call_id
    services.dispatch(call_id=old)
    travel(datetime(2026, 11, 30, 16, 0, tzinfo=UTC))
    assert nearest_standing(principal(sara)).left == 20
    services.settle(call_id=old)
    assert nearest_standing(principal(sara)).left == 20
    november = Allowance.objects.get()
    assert (november.used, november.held) == (20, 0)


def test_a_call_heavier_than_what_is_left_is_refused(sara: User) -> None:
    use(sara, prompts=18)
    with pytest.raises(QuotaExhausted):
        reserve(sara, prompts=3)
    assert reserve(sara, prompts=2).standings[0].left == 0


def test_the_most_specific_rule_wins(sara: User, omar: User, ines: User) -> None:
    services.set_quota(limit=10)
    services.set_quota(limit=30, role=Role.STUDENT)
    assert nearest_standing(principal(sara)).limit == 30
    services.set_quota(limit=40, department_id=sara.department_id)
    assert nearest_standing(principal(sara)).limit == 40
    services.set_quota(limit=50, department_id=sara.department_id, role=Role.STUDENT)
    assert nearest_standing(principal(sara)).limit == 50
    services.set_quota(limit=5, user_id=sara.pk)
    standing = nearest_standing(principal(sara))
    assert (standing.limit, standing.subject) == (5, Subject.PERSON)
    assert nearest_standing(principal(omar)).limit == 50
    assert nearest_standing(principal(ines)).limit == 40


def test_without_any_written_rule_the_products_own_holds(sara: User) -> None:
    reserve(sara, prompts=20)
    with pytest.raises(QuotaExhausted):
        reserve(sara)


def test_all_matching_quotas_must_have_room_and_the_one_that_refuses_is_named(sara: User) -> None:
    services.set_quota(limit=2, period=Period.DAY)
    use(sara)
    use(sara)
    with pytest.raises(QuotaExhausted) as refusal:
        reserve(sara)
    assert refusal.value.standing.name == "2 prompts per day"


def test_when_several_refuse_the_one_that_ends_last_is_named(sara: User, travel: Travel) -> None:
    travel(datetime(2026, 11, 11, tzinfo=UTC))
    services.set_quota(limit=1)
    services.set_quota(limit=1, period=Period.DAY)
    services.set_quota(limit=1, period=Period.WEEK)
    use(sara)
    with pytest.raises(QuotaExhausted) as refusal:
        reserve(sara)
    assert refusal.value.standing.period == Period.MONTH


def test_a_refusal_leaves_nothing_held_in_the_quotas_that_had_room(sara: User) -> None:
    services.set_quota(limit=5, scope=Operation.IMAGE)
    use(sara, prompts=5, operation=Operation.IMAGE)
    with pytest.raises(QuotaExhausted):
        reserve(sara, operation=Operation.IMAGE)
    assert [row.held for row in Allowance.objects.all()] == [0, 0]
    assert find_differences() == []


def test_a_scope_counts_only_what_it_covers(sara: User) -> None:
    services.set_quota(limit=3, scope=Operation.IMAGE)
    services.set_quota(limit=2, scope="model:big")
    use(sara, operation=Operation.IMAGE)
    use(sara, model="big")
    use(sara, model="small")
    used = {standing.scope: standing.used for standing in list_standings(principal(sara))}
    assert used == {"": 3, "image": 1, "model:big": 1}


def test_an_unmetered_person_is_counted_and_never_refused(ines: User) -> None:
    services.set_quota(limit=None, role=Role.INSTRUCTOR)
    for _ in range(25):
        use(ines)
    standing = nearest_standing(principal(ines))
    assert (standing.limit, standing.left, standing.used) == (None, None, 25)


def test_lowering_the_limit_claws_nothing_back_and_admits_nothing_more(sara: User) -> None:
    use(sara, prompts=8)
    services.set_quota(limit=5)
    standing = nearest_standing(principal(sara))
    assert (standing.used, standing.left) == (8, 0)
    with pytest.raises(QuotaExhausted):
        reserve(sara)
    assert find_differences() == []


def test_tokens_and_prompts_are_held_side_by_side(sara: User) -> None:
    services.set_quota(limit=1000, unit=Unit.TOKENS)
    call_id = reserve(sara, amounts={Unit.PROMPTS: 1, Unit.TOKENS: 400, Unit.MONEY: 7}).call_id
    services.dispatch(call_id=call_id)
    services.settle(call_id=call_id)
    services.close(call_id=call_id, amounts={Unit.TOKENS: 150})
    used = {standing.unit: standing.used for standing in list_standings(principal(sara))}
    assert used == {Unit.PROMPTS: 1, Unit.TOKENS: 150}
    assert find_differences() == []


def test_one_persons_prompts_are_not_anothers(sara: User, omar: User) -> None:
    reserve(sara, prompts=20)
    assert nearest_standing(principal(omar)).left == 20


def test_the_same_call_cannot_be_reserved_twice(sara: User) -> None:
    call_id = new_id()
    reserve(sara, call_id=call_id)
    with pytest.raises(IntegrityError):
        reserve(sara, call_id=call_id)
    assert nearest_standing(principal(sara)).held == 1
