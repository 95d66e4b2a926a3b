"""What a course's instructor and the university's administrators may read of what happened: counts, never texts.

Who may read is decided before: `courses.selectors.access_taught_course` for a course, the role for the university.
"""

from collections import defaultdict
from datetime import date, timedelta

from core import clock
from courses.models import Course
from courses.selectors import list_enrollments
from review.types import CourseUse, Day, PersonUse, Split, Stretch, Week
from usage.selectors import count_people, label_keys, summarize
from usage.types import Outcome, Summary, UsageFilters

MOST_PARTS = 6  # as many as the charts have colors
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


def span_of(course: Course) -> tuple[date, date]:
    """The course's days so far: from its first day to its last, or to today."""
    return course.starts_on, max(course.starts_on, min(course.ends_on, clock.local_day(clock.now())))


def read_course(
    course: Course, *, first_day: date, last_day: date, split: Split = "model", operation: str = "", model: str = ""
) -> CourseUse:
    """What was used in the course from `first_day` to `last_day`, both inclusive.

    Args:
        split: what the weeks are split by.
        operation, model: narrow to one tool or one model.
    """
    asked = UsageFilters(course_id=course.pk, first_day=first_day, last_day=last_day, operation=operation, model=model)
    totals = summarize(asked, by=(split,))
    names = label_keys(split, totals)
    ranked = sorted((total for total in totals if total.prompts), key=lambda total: -total.prompts)
    own = [total.key[0] for total in ranked][: MOST_PARTS if len(ranked) <= MOST_PARTS else MOST_PARTS - 1]
    rest = [total.key[0] for total in ranked[len(own) :]]
    groups = [[key] for key in own] + ([rest] if rest else [])
    by_user = {total.key[0]: total for total in summarize(asked, by=("user",))}
    return CourseUse(
        parts=tuple(names[group[0]] if len(group) == 1 else f"+{len(group)}" for group in groups),
        part_totals=tuple(sum(total.prompts for total in ranked if total.key[0] in group) for group in groups),
        weeks=_weeks(asked, first_day, last_day, split, groups),
        people=_people(course, by_user),
        others=_others(course, by_user),
        total=summarize(asked)[0],
        asked=sum(total.prompts > 0 for total in by_user.values()),
    )


def read_stretches(*spans: tuple[date, date]) -> list[Stretch]:
    """The whole university in each of these spans of days, both ends inclusive; one statement, but for the people."""
    days = list_days(min(first for first, _ in spans), max(last for _, last in spans))
    return [_stretch(first, last, [day for day in days if first <= day.day <= last]) for first, last in spans]


def list_days(first_day: date, last_day: date) -> list[Day]:
    """Every day of the span, the oldest first; those without use too."""
    calls: dict[date, dict[str, int]] = defaultdict(dict)
    prompts: dict[date, int] = defaultdict(int)
    tokens: dict[date, int] = defaultdict(int)
    for row in summarize(UsageFilters(first_day=first_day, last_day=last_day), by=("day", "outcome")):
        day, outcome = row.key
        calls[day][outcome] = row.calls
        prompts[day] += row.prompts
        tokens[day] += row.input_tokens + row.output_tokens
    return [
        Day(
            day=day,
            answered=_answered(calls[day]),
            refused=calls[day].get(Outcome.REFUSED, 0),
            failed=calls[day].get(Outcome.UPSTREAM_FAILED, 0),
            lost=calls[day].get(Outcome.LOST, 0),
            prompts=prompts[day],
            tokens=tokens[day],
        )
        for day in (first_day + n * _DAY for n in range((last_day - first_day).days + 1))
    ]


def same_days_before(today: date) -> tuple[date, date]:
    """The month before, from its first day to the same day of the month, or to its end where it is shorter."""
    end_before = today.replace(day=1) - _DAY
    return end_before.replace(day=1), end_before.replace(day=min(today.day, end_before.day))


# ---- inside ----------------------------------------------------------------------------------------------------------


def _stretch(first_day: date, last_day: date, days: list[Day]) -> Stretch:
    return Stretch(
        first_day=first_day,
        last_day=last_day,
        people=count_people(UsageFilters(first_day=first_day, last_day=last_day)),
        prompts=sum(day.prompts for day in days),
        answered=sum(day.answered for day in days),
        refused=sum(day.refused for day in days),
        failed=sum(day.failed for day in days),
        lost=sum(day.lost for day in days),
        tokens=sum(day.tokens for day in days),
    )


def _weeks(
    asked: UsageFilters, first_day: date, last_day: date, split: Split, groups: list[list[str]]
) -> tuple[Week, ...]:
    prompts: dict[tuple[date, str], int] = {row.key: row.prompts for row in summarize(asked, by=("week", split))}
    people: dict[date, int] = defaultdict(int)
    for row in summarize(asked, by=("week", "user")):
        people[row.key[0]] += row.prompts > 0
    monday = first_day - first_day.weekday() * _DAY
    today = clock.local_day(clock.now())
    return tuple(
        Week(
            monday=week,
            prompts=tuple(sum(prompts.get((week, key), 0) for key in group) for group in groups),
            people=people[week],
            is_running=week <= today < week + _WEEK,
        )
        for week in (monday + n * _WEEK for n in range((last_day - monday).days // 7 + 1))
    )


def _people(course: Course, by_user: dict[int, Summary]) -> tuple[PersonUse, ...]:
    roster = (
        PersonUse(place.user.name, place.user.email, place.get_role_display(), by_user.get(place.user_id, Summary()))
        for place in list_enrollments(course.pk)
    )
    return tuple(sorted(roster, key=lambda person: -person.total.prompts))


def _others(course: Course, by_user: dict[int, Summary]) -> tuple[int, Summary]:
    roster = set(list_enrollments(course.pk).values_list("user_id", flat=True))
    gone = [total for user_id, total in by_user.items() if user_id not in roster]
    sums = {
        name: sum(getattr(total, name) for total in gone)
        for name in ("calls", "prompts", "input_tokens", "output_tokens", "images")
    }
    return len(gone), Summary(**sums)


def _answered(calls: dict[str, int]) -> int:
    return calls.get(Outcome.SERVED, 0) + calls.get(Outcome.CLIENT_LEFT, 0)
