"""Days that are over are read from few rows, and these say what the records say to the last unit."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Value
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core import clock
from courses.models import Course
from tests.usage.test_record_usage import record
from tests.usage.test_summaries import TODAY, course, some_weeks  # noqa: F401  # fixtures
from usage.models import DailyGroup, UsageRecord
from usage.selectors import count_people, list_peopled, summarize, tabulate
from usage.services import roll_up, roll_up_day
from usage.types import MEASURES, Group, UsageFilters

FIRST = date(2026, 11, 1)
ALONE: tuple[Group, ...] = ("role", "department", "course", "via", "operation", "model", "outcome")
_FIELDS = {"department": "department_id", "course": "course_id", "user": "user_id"}


def _from_records(filters: UsageFilters, group: Group) -> dict[Any, tuple[int, ...]]:
    """The totals of each group, added up record by record."""
    assert filters.first_day
    assert filters.last_day
    sums: dict[Any, Counter[str]] = {}
    records = UsageRecord.objects.filter(
        started_at__gte=clock.start_of(filters.first_day),
        started_at__lt=clock.start_of(filters.last_day + timedelta(days=1)),
    )
    field = _FIELDS.get(group, group)
    for each in records.values(*MEASURES[1:], calls=Value(1), which=F(field)):
        sums.setdefault(each["which"], Counter()).update({name: each[name] or 0 for name in MEASURES})
    return {key: tuple(total[name] for name in MEASURES) for key, total in sums.items()}


def _said(filters: UsageFilters, group: Group) -> dict[Any, tuple[int, ...]]:
    return {line.key[0]: tuple(getattr(line, name) for name in MEASURES) for line in tabulate(filters, by=group)}


def _spans(chance: Random, number: int) -> list[UsageFilters]:
    spans = []
    for _ in range(number):
        first = FIRST + timedelta(days=chance.randrange(24))
        spans.append(UsageFilters(first_day=first, last_day=first + timedelta(days=chance.randrange(24))))
    return spans


def _agree(chance: Random) -> None:
    for filters in _spans(chance, 3):
        for group in ("user", *ALONE):
            assert _said(filters, group) == _from_records(filters, group)
        assert count_people(filters) == len(_from_records(filters, "user"))


@pytest.mark.both_databases
@pytest.mark.usefixtures("some_weeks")
def test_any_span_of_days_equals_its_records_whatever_was_rolled_up_when(sara: User, omar: User) -> None:
    chance = Random(11)
    days = [FIRST + timedelta(days=n) for n in range(21)]
    for day in chance.sample(days, 9):  # in no order, with gaps between them
        roll_up_day(day)
    _agree(chance)
    roll_up()
    _agree(chance)
    ines = User.objects.create_user("newcomer@example.edu", "x", name="New", role="instructor")
    for day in chance.sample(days, 5):  # late ones, of somebody no reading knew as well
        record(chance.choice([sara, omar, ines]), started_at=clock.start_of(day), prompts=3, cost_micro=7)
    _agree(chance)
    roll_up()
    _agree(chance)
    roll_up_day(chance.choice(days))  # once more what is complete
    _agree(chance)


@pytest.mark.usefixtures("some_weeks")
def test_a_group_of_a_day_knows_how_many_different_people_it_had(sara: User, omar: User) -> None:
    roll_up()
    for group in DailyGroup.objects.filter(kind="model"):
        people = {
            each.user_id
            for each in UsageRecord.objects.filter(model=group.value)
            if clock.local_day(each.started_at) == group.day
        }
        assert group.people == len(people)
    assert DailyGroup.objects.filter(kind="model").exists()


@pytest.mark.usefixtures("some_weeks")
@pytest.mark.parametrize("group", ["user", *ALONE])
def test_a_page_of_one_kind_of_groups_reads_no_rollup_of_persons(group: Group) -> None:
    roll_up()
    asked = UsageFilters(first_day=FIRST, last_day=date(2026, 11, 22))
    questions: list[Callable[[], object]] = [
        lambda: tabulate(asked, by=group),
        lambda: summarize(asked, by=("day",)),
        lambda: count_people(asked),
    ]
    if group != "user":
        questions += [lambda: summarize(asked, by=("day", group)), lambda: list_peopled(asked, by=group, least=1)]
    with CaptureQueriesContext(connection) as queries:
        for ask in questions:
            ask()
    assert queries.captured_queries
    assert not [query for query in queries.captured_queries if "usage_dailyrollup" in query["sql"]]


@pytest.mark.usefixtures("some_weeks")
def test_somebody_without_a_department_and_a_call_without_a_course_are_groups_too(sara: User) -> None:
    before = sara.department_id
    User.objects.filter(pk=sara.pk).update(department=None)
    sara.refresh_from_db()
    record(sara, started_at=datetime(2026, 11, 10, 4, 0, tzinfo=TODAY.tzinfo), prompts=1)
    roll_up()
    asked = UsageFilters(first_day=FIRST, last_day=date(2026, 11, 22))
    assert set(_said(asked, "department")) == {None, before}
    assert set(_said(asked, "course")) == {None, Course.objects.get().pk}


@pytest.mark.both_databases
@pytest.mark.usefixtures("some_weeks")
def test_settled_hours_of_today_are_read_once_and_every_sum_stays_exact(
    sara: User, omar: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_up()
    chance = Random(5)
    asked = UsageFilters(first_day=FIRST, last_day=date(2026, 11, 22))
    for half_hours in range(9):
        now = TODAY + timedelta(minutes=30 * half_hours)
        monkeypatch.setattr("core.clock.now", lambda now=now: now)
        record(chance.choice([sara, omar]), started_at=now, model=chance.choice(["smollm2", "big"]), cost_micro=3)
        for group in ("user", *ALONE):
            assert _said(asked, group) == _from_records(asked, group)
        assert count_people(asked) == len(_from_records(asked, "user"))
    for ask in (partial(tabulate, asked, by="user"), partial(summarize, asked, by=("day", "model"))):
        with CaptureQueriesContext(connection) as queries:
            ask()
        read = [query["sql"] for query in queries if "usage_usagerecord" in query["sql"]]
        assert len(read) == 1, "the later part alone"
        assert f'"id" > {_newest_settled(now)}' in read[0]


def _newest_settled(now: datetime) -> int:
    settled = UsageRecord.objects.filter(ended_at__lt=(now - timedelta(hours=1)).replace(minute=0))
    return settled.order_by("pk").values_list("pk", flat=True).last() or 0
