"""The policy simulator: the log of last month replayed, against the rules that held and against a draft."""

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Role
from core.ids import new_id
from core.types import Operation
from courses.services import create_course, enroll
from gateway import admission
from gateway.services import sync_catalog
from gateway.types import Call, Ending
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.resolution import Rule
from quotas.types import Period, Unit
from review.simulation import simulate
from usage.models import UsageRecord
from usage.types import Outcome, Totals

PAGE = "/manage/quotas/simulation/"


def ask(person: User, times: int) -> int:
    """So many questions; how many were refused."""
    refused = 0
    for _ in range(times):
        call = Call(new_id(), Operation.CHAT, "smollm2-135m-instruct", {"messages": []})
        try:
            admitted = admission.admit(principal_of(person), call)
        except QuotaExhausted:
            refused += 1
        else:
            admission.conclude(admitted, Ending(Outcome.SERVED, totals=Totals(10, 20)))
    return refused


@pytest.fixture
def october(sara: User, omar: User, ines: User, monkeypatch: pytest.MonkeyPatch) -> int:
    """A month of use with a change in its middle, a grant in it and a grant with an end of its own; the refusals."""

    def travel(*parts: int) -> None:
        instant = datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]
        monkeypatch.setattr("core.clock.now", lambda: instant)

    sync_catalog()
    travel(2026, 10, 2)
    services.set_quota(limit=5)
    services.set_quota(limit=2, period=Period.DAY, role=Role.INSTRUCTOR)
    refused = ask(sara, 7) + ask(omar, 3) + ask(ines, 4)
    travel(2026, 10, 9)
    services.grant(user_id=sara.pk, amount=2, reason="x", by_id=None)
    travel(2026, 10, 9, 1)
    refused += ask(sara, 4) + ask(ines, 3)
    travel(2026, 10, 9, 2)
    services.grant(user_id=sara.pk, amount=3, reason="x", by_id=None, expires_at=datetime(2026, 12, 1, tzinfo=UTC))
    travel(2026, 10, 20)
    services.set_quota(limit=6)
    travel(2026, 10, 20, 1)
    refused += ask(sara, 6) + ask(omar, 4)
    travel(2026, 11, 3)
    return refused


def test_the_present_rules_reproduce_the_refusals_exactly(october: int) -> None:
    same = simulate(Rule(Unit.TOKENS, Period.MONTH, None))
    assert same.observed == october > 0
    assert len(same.present.stops) == october
    refused = UsageRecord.objects.filter(outcome=Outcome.REFUSED).order_by("started_at", "id")
    assert [stop.user_id for stop in same.present.stops] == list(refused.values_list("user", flat=True))
    assert [stop.user_id for stop in same.draft.stops] == [stop.user_id for stop in same.present.stops]


def test_a_draft_says_whom_it_would_have_stopped_and_whom_no_more(october: int, sara: User, omar: User) -> None:
    generous = simulate(Rule(Unit.PROMPTS, Period.MONTH, 100))
    assert {stop.rule.period for stop in generous.draft.stops} == {Period.DAY}  # the instructors' daily one stays
    strict = simulate(Rule(Unit.PROMPTS, Period.MONTH, 1))
    assert len(strict.draft.stops) > october
    assert strict.draft.stopped_people == 3
    tokens = simulate(Rule(Unit.TOKENS, Period.MONTH, 90))
    assert all(stop.rule.unit == Unit.TOKENS for stop in tokens.draft.stops if stop.user_id == omar.pk)


def test_the_page_shows_both_and_is_for_administrators(client: Client, october: int, root: User, sara: User) -> None:
    rule = {"limit": "1", "unit": "prompts", "period": "month", "reason": "x"}
    client.force_login(root)
    page = client.get(PAGE, rule).content.decode()
    assert "October 2026 under this rule" in page
    assert "1 prompts per month" in page
    whole = client.post("/manage/quotas/", rule).content.decode()
    assert f"{PAGE}?limit=1" in whole
    assert client.get(PAGE, rule | {"limit": "x"}).status_code == 400
    client.force_login(sara)
    assert client.get(PAGE, rule).status_code == 403


def test_a_month_is_replayed_in_a_constant_number_of_queries(
    october: int, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        simulate(Rule(Unit.PROMPTS, Period.MONTH, 1))


def test_only_those_whom_the_draft_speaks_of_are_replayed(october: int, sara: User, ines: User) -> None:
    one = simulate(Rule(Unit.PROMPTS, Period.MONTH, 1, user_id=sara.pk))
    assert one.present.calls == UsageRecord.objects.filter(user=sara).count()
    teachers = simulate(Rule(Unit.PROMPTS, Period.MONTH, 1, role=Role.INSTRUCTOR))
    assert {stop.user_id for stop in teachers.draft.stops} == {ines.pk}


def test_the_first_rule_of_a_course_is_tried_on_who_is_in_it(october: int, sara: User) -> None:
    day = date(2026, 9, 1)
    course = create_course(code="COMP1117", title="Programming", starts_on=day, ends_on=date(2026, 12, 1))
    enroll(course=course, user=sara)
    strict = simulate(Rule(Unit.PROMPTS, Period.MONTH, 1, course_id=course.pk))
    assert strict.draft.stopped_people == 1
    assert len(strict.draft.stops) > len(strict.present.stops)


def test_a_month_too_large_to_replay_is_estimated_from_some_people(
    october: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = list(UsageRecord.objects.values_list("user", "outcome"))
    monkeypatch.setattr("review.simulation.MOST_CALLS", len(records) - 1)

    estimate = simulate(Rule(Unit.PROMPTS, Period.MONTH, 1))

    heard = [outcome for user, outcome in records if user % 2 == 0]
    assert 0 < len(heard) < len(records)
    assert estimate.share == 2
    assert estimate.present.calls == len(heard)
    assert estimate.observed == 2 * heard.count(Outcome.REFUSED)
    assert {name: before for name, before, _after in estimate.rows}["refused"] == estimate.observed
