"""The one clock. Everything that asks for the time asks here, so that tests can move it.

A day is a calendar day of the installation's time zone (TIME_ZONE), whatever zone the worker or the reader is in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time

from django.utils import timezone

_told: ContextVar[datetime | None] = ContextVar("told", default=None)


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _told.get() or timezone.now()


@contextmanager
def telling(at: datetime) -> Iterator[None]:
    """Inside, and only for whoever runs inside, it is `at`: how the demo tells its past through the real services."""
    token = _told.set(at)
    try:
        yield
    finally:
        _told.reset(token)


def local_day(at: datetime) -> date:
    """The calendar day of the instant `at` in the installation's time zone."""
    return at.astimezone(timezone.get_default_timezone()).date()


def start_of(day: date) -> datetime:
    """The instant, in UTC, at which `day` begins in the installation's time zone.

    Where summer time skips midnight this is the first instant after the gap; where midnight comes twice, the first.
    """
    return datetime.combine(day, time.min, timezone.get_default_timezone()).astimezone(UTC)
