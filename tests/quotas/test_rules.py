"""Rules are dated rows; grants add to one window. Both hold on the next call."""

import pytest

from accounts.models import User
from accounts.types import Role
from core.errors import InvalidRequest, NotFound
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Grant, LedgerEntry, Quota
from quotas.selectors import find_differences, nearest_standing
from quotas.types import EntryKind, Period, Unit
from tests.quotas.conftest import principal, reserve, use


def test_the_default_is_twenty_prompts_a_month_written_down_once(db: None) -> None:
    services.install_default_quota()
    services.install_default_quota()
    rule = Quota.objects.get()
    assert (rule.limit, rule.unit, rule.period, rule.scope) == (20, Unit.PROMPTS, Period.MONTH, "")


def test_the_default_is_not_installed_over_a_rule_of_the_university(db: None) -> None:
    services.set_quota(limit=5)
    services.install_default_quota()
    assert Quota.objects.get().limit == 5


def test_a_change_ends_the_old_rule_and_keeps_it(root: User) -> None:
    services.set_quota(limit=15, role=Role.STUDENT, by_id=root.pk, reason="Pilot")
    services.set_quota(limit=20, role=Role.STUDENT, by_id=root.pk, reason="New year")
    new, old = Quota.objects.order_by("-starts_at", "-id")
    assert (old.limit, old.ends_at, old.ended_by, old.end_reason) == (15, new.starts_at, root, "New year")
    assert (new.limit, new.ends_at, new.created_by) == (20, None, root)


def test_setting_the_same_limit_again_changes_nothing(root: User) -> None:
    assert services.set_quota(limit=15) == services.set_quota(limit=15)


def test_a_raised_limit_holds_on_the_next_call(sara: User) -> None:
    use(sara, prompts=20)
    with pytest.raises(QuotaExhausted):
        reserve(sara)
    services.set_quota(limit=21, user_id=sara.pk)
    assert reserve(sara).standings[0].left == 0


def test_a_withdrawn_rule_gives_way_to_the_next_specific_one(sara: User, root: User) -> None:
    rule = services.set_quota(limit=50, user_id=sara.pk)
    services.withdraw_quota(quota_id=rule.pk, by_id=root.pk, reason="Project over")
    assert nearest_standing(principal(sara)).limit == 20
    with pytest.raises(NotFound):
        services.withdraw_quota(quota_id=rule.pk, by_id=root.pk, reason="Again")


@pytest.mark.parametrize("limit", [-1, 10**12 + 1])
def test_a_limit_out_of_range_is_refused(db: None, limit: int) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        services.set_quota(limit=limit)
    assert refusal.value.param == "limit"


@pytest.mark.parametrize("scope", ["video", "model:", "Chat"])
def test_a_scope_that_names_nothing_is_refused(db: None, scope: str) -> None:
    with pytest.raises(InvalidRequest):
        services.set_quota(limit=1, scope=scope)


def test_a_persons_rule_names_no_role(sara: User) -> None:
    with pytest.raises(InvalidRequest):
        services.set_quota(limit=1, user_id=sara.pk, role=Role.STUDENT)


def test_a_grant_adds_to_the_present_window_and_is_in_the_books(sara: User, ines: User) -> None:
    use(sara, prompts=20)
    given = services.grant(user_id=sara.pk, amount=3, reason="lab 8 needs more tries", by_id=ines.pk)
    standing = nearest_standing(principal(sara))
    assert (standing.limit, standing.granted, standing.left) == (23, 3, 3)
    entry = LedgerEntry.objects.get(kind=EntryKind.GRANT)
    assert (entry.grant, entry.delta_granted, entry.left_after, entry.actor) == (given, 3, 3, ines)
    reserve(sara, prompts=3)
    assert find_differences() == []


def test_grants_add_up(sara: User) -> None:
    for _ in range(2):
        services.grant(user_id=sara.pk, amount=2, reason="more", by_id=None)
    assert nearest_standing(principal(sara)).limit == 24


@pytest.mark.parametrize(("amount", "reason"), [(0, "x"), (-3, "x"), (10**13, "x"), (3, " ")])
def test_a_grant_of_nothing_or_without_a_reason_is_refused(sara: User, amount: int, reason: str) -> None:
    with pytest.raises(InvalidRequest):
        services.grant(user_id=sara.pk, amount=amount, reason=reason, by_id=None)
    assert not Grant.objects.exists()


def test_a_grant_to_nobody_is_refused(db: None) -> None:
    with pytest.raises(NotFound):
        services.grant(user_id=1, amount=1, reason="x", by_id=None)
