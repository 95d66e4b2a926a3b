"""Sums are the same whether a day is rolled up or not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from core import clock
from core.types import Operation, Via
from courses.models import Course
from tests.racing import race
from tests.usage.test_record_usage import record
from usage.models import DailyRollup, RollupDay
from usage.selectors import count_people, list_days_to_roll_up, list_records, summarize, tabulate
from usage.services import roll_up, roll_up_day
from usage.types import Group, Outcome, UsageFilters

TODAY = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
BY: list[tuple[Group, ...]] = [
    (), ("day",), ("week",), ("month",), ("user",), ("model", "course"), ("week", "user"), ("outcome", "via", "role"),
]  # fmt: skip


@pytest.fixture
def course(db: None) -> Course:
    return Course.objects.create(
        code="COMP1117", title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 24)
    )


@pytest.fixture
def some_weeks(sara: User, omar: User, course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 calls of two people over three weeks, some of them today, at any hour."""
    chance = Random(7)
    for _ in range(200):
        at = TODAY - timedelta(minutes=chance.randrange(21 * 24 * 60))
        monkeypatch.setattr("core.clock.now", lambda at=at: at)
        record(
            chance.choice([sara, omar]),
            started_at=at,
            course_id=chance.choice([None, course.pk]),
            model=chance.choice(["smollm2", "big"]),
            via=chance.choice(list(Via)),
            operation=chance.choice([Operation.CHAT, Operation.IMAGE]),
            outcome=chance.choice(list(Outcome)),
            prompts=chance.randrange(3),
            cost_micro=chance.randrange(1000),
        )
    monkeypatch.setattr("core.clock.now", lambda: TODAY)


@pytest.mark.parametrize("by", BY, ids=str)
@pytest.mark.usefixtures("some_weeks")
def test_rollups_and_records_give_the_same_sums(by: tuple[Group, ...], sara: User, course: Course) -> None:
    everything = UsageFilters()
    questions = [
        everything,
        replace(everything, user_id=sara.pk),
        replace(everything, course_id=course.pk, outcome="served"),
        replace(everything, first_day=date(2026, 11, 5), last_day=date(2026, 11, 20)),
        replace(everything, via="api", model="big", operation="chat"),
    ]
    before = [summarize(question, by=by) for question in questions]
    assert sum(total.calls for total in before[0]) == 200
    roll_up_day(date(2026, 11, 10))
    assert [summarize(question, by=by) for question in questions] == before
    roll_up()
    assert DailyRollup.objects.filter(day__lt=date(2026, 11, 22)).exists()
    assert [summarize(question, by=by) for question in questions] == before


@pytest.mark.parametrize("by", [("day",), ("week",), ("outcome", "day"), ("month", "model", "user")], ids=str)
@pytest.mark.usefixtures("some_weeks")
def test_a_day_asked_for_alone_is_the_same_as_among_others(by: tuple[Group, ...]) -> None:
    today = date(2026, 11, 22)
    open_ended, alone = UsageFilters(first_day=today), UsageFilters(first_day=today, last_day=today)
    assert summarize(alone, by=by) == summarize(open_ended, by=by) != []
    later = UsageFilters(first_day=date(2026, 11, 23), last_day=date(2026, 11, 23))
    assert summarize(later, by=by) == []


@pytest.mark.usefixtures("some_weeks")
def test_rolling_up_makes_up_for_a_standstill_and_leaves_today_alone() -> None:
    days = roll_up()
    assert days == sorted(days)
    assert date(2026, 11, 22) not in days
    assert roll_up() == []
    assert list_days_to_roll_up(until=date(2026, 11, 22)) == []


@pytest.mark.usefixtures("some_weeks")
def test_a_late_record_reopens_its_day(sara: User) -> None:
    roll_up()
    (before,) = summarize(UsageFilters())
    record(sara, started_at=TODAY - timedelta(days=4), outcome=Outcome.LOST, prompts=0)
    (after,) = summarize(UsageFilters())
    assert after.calls == before.calls + 1
    assert roll_up() == [date(2026, 11, 18)]
    assert summarize(UsageFilters()) == [after]


@pytest.mark.usefixtures("some_weeks")
def test_a_day_is_complete_only_an_hour_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    midnight = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
    monkeypatch.setattr("core.clock.now", lambda: midnight + timedelta(minutes=59))
    roll_up_day(date(2026, 11, 21))
    assert not RollupDay.objects.get(day=date(2026, 11, 21)).complete
    monkeypatch.setattr("core.clock.now", lambda: midnight + timedelta(minutes=60))
    assert date(2026, 11, 21) in roll_up()


def test_records_are_never_looked_for_from_the_people(db: None) -> None:
    assert "INNER JOIN" not in str(list_records(UsageFilters()).query)


def test_no_usage_sums_to_nothing(db: None) -> None:
    (total,) = summarize(UsageFilters())
    assert (total.calls, total.prompts) == (0, 0)
    assert summarize(UsageFilters(), by=("day",)) == []


def test_a_call_just_after_midnight_in_hong_kong_belongs_to_the_new_day(sara: User) -> None:
    record(sara, started_at=datetime(2026, 11, 21, 15, 59, 59, tzinfo=UTC))
    record(sara, started_at=datetime(2026, 11, 21, 16, 0, tzinfo=UTC))
    assert [total.key for total in summarize(UsageFilters(), by=("day",))] == [
        (date(2026, 11, 21),),
        (date(2026, 11, 22),),
    ]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_late_records_and_rollups_at_once_lose_no_call(sara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.clock.now", lambda: TODAY)
    some_days = [date(2026, 11, day) for day in (10, 11, 12)]
    late = [partial(record, sara, started_at=clock.start_of(day)) for day in some_days * 8]
    again = [partial(roll_up_day, day) for day in some_days * 4]
    race([*late, *again])
    assert summarize(UsageFilters())[0].calls == 24
    roll_up()
    assert summarize(UsageFilters())[0].calls == 24
    assert sum(DailyRollup.objects.values_list("calls", flat=True)) == 24


@pytest.mark.both_databases
@pytest.mark.usefixtures("some_weeks")
def test_a_day_that_is_written_again_is_not_remembered(sara: User, omar: User, course: Course) -> None:
    roll_up()
    day = date(2026, 11, 10)
    asked = UsageFilters(first_day=day, last_day=day)
    calls = sum(total.calls for total in summarize(asked, by=("course",)))
    ines = User.objects.create_user("late@example.edu", "x", name="Late", role="instructor")
    people = count_people(asked)
    record(ines, started_at=datetime(2026, 11, 10, 4, 0, tzinfo=UTC), course_id=course.pk)
    assert count_people(asked) == people + 1
    roll_up()
    assert sum(total.calls for total in summarize(asked, by=("course",))) == calls + 1
    assert count_people(asked) == people + 1


@pytest.mark.usefixtures("some_weeks")
def test_what_complete_days_add_up_to_is_read_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    roll_up()
    asked = UsageFilters(first_day=date(2026, 11, 5), last_day=date(2026, 11, 20))
    narrowed = replace(asked, outcome="served")
    for ask in (partial(summarize, asked, by=("course", "model")), partial(count_people, narrowed)):
        with django_assert_num_queries(2):  # which days are complete, and their sums
            first = ask()
        with django_assert_num_queries(1):
            assert ask() == first


@pytest.mark.usefixtures("some_weeks")
def test_a_table_of_people_has_the_same_sums() -> None:
    for day in list_days_to_roll_up(until=clock.local_day(TODAY) - timedelta(days=3)):
        roll_up_day(day)
    summaries = summarize(UsageFilters(), by=("user",))
    table = tabulate(UsageFilters(), by="user")
    assert sorted(table, key=lambda line: line.key) == summaries
    assert table.total() == summarize(UsageFilters())[0]
    assert list(table.sorted_by("cost_micro", falls=True)) == sorted(summaries, key=lambda line: -line.cost_micro)
