"""The periods of quotas, as pure functions of an instant: no row, no job and no cache resets anything (D11)."""

from datetime import UTC, date, datetime, timedelta

from core import clock
from quotas.types import Period, Window

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def window_of(period: Period, at: datetime) -> Window:
    """The window of `period` that holds the instant `at`, in days of the installation's time zone.

    Weeks begin on Monday. `ONCE` is one window that never ends.
    """
    if period == Period.ONCE:
        return Window(_BEGINNING, None)
    first, next_first = _days(period, clock.local_day(at))
    return Window(clock.start_of(first), clock.start_of(next_first))


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
            return first, next_month(first)


def next_month(first: date) -> date:
    """The first day of the month after the one that begins on `first`."""
    return (first + timedelta(days=31)).replace(day=1)
