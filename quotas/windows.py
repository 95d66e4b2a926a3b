"""The periods of quotas, as pure functions of an instant: no row, no job and no cache resets anything (D11)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from core import clock
from quotas.types import Period, Window

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def window_of(period: Period, at: datetime, terms: Sequence[Window] = ()) -> Window:
    """The window of `period` that holds the instant `at`, in days of the installation's time zone.

    Weeks begin on Monday. `ONCE` is one window that never ends.

    Args:
        terms: the university's terms in order of time. The time between two is a window of its own, and so are the
            times before the first and after the last.
    """
    if period == Period.ONCE:
        return Window(BEGINNING, None)
    if period == Period.TERM:
        return _term_of(at, terms)
    first, next_first = _days(period, clock.local_day(at))
    return Window(clock.start_of(first), clock.start_of(next_first))


def _term_of(at: datetime, terms: Sequence[Window]) -> Window:
    begun = [term for term in terms if term.starts_at <= at]
    if begun and begun[-1].ends_at is not None and at < begun[-1].ends_at:
        return begun[-1]
    ended_at = begun[-1].ends_at if begun else None
    return Window(ended_at or BEGINNING, next((term.starts_at for term in terms if term.starts_at > at), None))


def _days(period: Period, day: date) -> tuple[date, date]:
    """The first day of the period around `day`, and the first day after it."""
    match period:
        case Period.DAY:
            return day, day + timedelta(days=1)
        case Period.WEEK:
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case _:
            first = day.replace(day=1)
            return first, clock.next_month(first)
