"""The plain values of the pages that read what happened."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from usage.types import Summary

Split = Literal["model", "operation"]


@dataclass(frozen=True, slots=True)
class Week:
    """One week of a course: the prompts of each part in the order of `CourseUse.parts`, and how many people asked.

    Args:
        monday: the first day of the week.
        is_running: the week is not over yet.
    """

    monday: date
    prompts: tuple[int, ...]
    people: int
    is_running: bool

    @property
    def total(self) -> int:
        """The prompts of all parts."""
        return sum(self.prompts)


@dataclass(frozen=True, slots=True)
class PersonUse:
    """One person of the roster and what they used in the course; counts, never texts."""

    name: str
    email: str
    place: str
    total: Summary


@dataclass(frozen=True, slots=True)
class CourseUse:
    """What was used in a course in a span of days.

    Args:
        parts: the names of the models or tools the weeks are split by, the largest first.
        weeks: every week of the span, the oldest first; those without use too.
        people: everyone on the roster, who used most first.
        others: how many people used it who are not on the roster now, and their totals.
        asked: how many different people asked in the span.
    """

    parts: tuple[str, ...]
    part_totals: tuple[int, ...]
    weeks: tuple[Week, ...]
    people: tuple[PersonUse, ...]
    others: tuple[int, Summary]
    total: Summary
    asked: int

    @property
    def busiest(self) -> Week | None:
        """The week with most prompts, the first of equals; None when nothing was used."""
        used = [week for week in self.weeks if week.total]
        return max(used, key=lambda week: week.total) if used else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some days of the whole university in numbers."""

    first_day: date
    last_day: date
    people: int
    prompts: int
    answered: int
    refused: int
    failed: int
    lost: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day's calls by how they ended."""

    day: date
    answered: int
    refused: int
    failed: int
    lost: int
    prompts: int
    tokens: int
