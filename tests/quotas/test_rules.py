"""Rules are dated rows; grants add to one window. Both hold on the next call."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import User
from accounts.types import Role
from core.errors import InvalidRequest, NotFound
from courses.services import create_course, enroll
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Grant, LedgerEntry, Quota
from quotas.selectors import find_differences, nearest_standing
from quotas.types import EntryKind, Period, Unit
from tests.quotas.conftest import Travel, principal, reserve, use


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


SEPTEMBER = datetime(2026, 8, 31, 16, tzinfo=UTC)


def test_a_scheduled_rule_takes_over_at_its_instant_without_a_job(sara: User, travel: Travel) -> None:
    travel(SEPTEMBER - timedelta(days=10))
    services.set_quota(limit=20)
    services.set_quota(limit=30, starts_at=SEPTEMBER)
    travel(SEPTEMBER - timedelta(microseconds=1))
    assert nearest_standing(principal(sara)).limit == 20
    travel(SEPTEMBER)
    assert nearest_standing(principal(sara)).limit == 30


def test_a_change_now_leaves_the_one_that_is_to_come(sara: User, travel: Travel) -> None:
    travel(SEPTEMBER - timedelta(days=10))
    services.set_quota(limit=20)
    services.set_quota(limit=30, starts_at=SEPTEMBER)
    travel(SEPTEMBER - timedelta(days=5))
    services.set_quota(limit=25)
    assert nearest_standing(principal(sara)).limit == 25
    travel(SEPTEMBER)
    assert nearest_standing(principal(sara)).limit == 30


def test_a_rule_withdrawn_before_it_began_never_holds_and_the_old_one_goes_on(sara: User, travel: Travel) -> None:
    travel(SEPTEMBER - timedelta(days=10))
    services.set_quota(limit=22)
    later = services.set_quota(limit=30, starts_at=SEPTEMBER)
    services.set_quota(limit=40, starts_at=SEPTEMBER + timedelta(days=30))
    services.withdraw_quota(quota_id=later.pk, by_id=None, reason="No")
    travel(SEPTEMBER)
    assert nearest_standing(principal(sara)).limit == 22
    travel(SEPTEMBER + timedelta(days=30))
    assert nearest_standing(principal(sara)).limit == 40


def test_a_rule_scheduled_twice_for_one_day_is_the_second(sara: User, travel: Travel) -> None:
    travel(SEPTEMBER - timedelta(days=10))
    services.set_quota(limit=22)
    for limit in (30, 31):
        services.set_quota(limit=limit, starts_at=SEPTEMBER)
    travel(SEPTEMBER)
    assert nearest_standing(principal(sara)).limit == 31


def test_a_rule_does_not_begin_in_the_past(db: None) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        services.set_quota(limit=1, starts_at=SEPTEMBER)
    assert refusal.value.param == "starts_at"


@pytest.mark.parametrize(
    ("unit", "period"), [(Unit.TURNS, Period.MONTH), (Unit.PROMPTS, Period.HOUR), (Unit.MONEY, Period.MOMENT)]
)
def test_a_unit_is_counted_only_over_its_periods(db: None, unit: Unit, period: Period) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        services.set_quota(limit=1, unit=unit, period=period)
    assert refusal.value.param == "period"


def test_a_courses_rule_is_for_those_enrolled_in_it(sara: User, omar: User) -> None:
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 1))
    enroll(course=course, user=sara)
    services.set_quota(limit=60, course_id=course.pk)
    assert nearest_standing(principal(sara)).limit == 60
    assert nearest_standing(principal(omar)).limit == 20


def test_models_of_a_scope_are_kept_in_order_once_each(db: None) -> None:
    assert services.check_scope("model:b, a,b,gpt-4*") == "model:a,b,gpt-4*"
