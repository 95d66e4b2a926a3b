"""The one clock. Everything that asks for the time asks here, so that tests can move it.

On PostgreSQL it is the database's: periods and leases must not hang on which machine a worker runs on, nor on what
somebody does to that machine's clock (docs/decisions/0016). SQLite lives on the worker's own machine.

A day is a calendar day of the installation's time zone (TIME_ZONE), whatever zone the worker or the reader is in.
"""

import time as ticks
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# What people may write. Calendars end within a day of date.min and date.max: a farther day has no instant to compare
# with, and whatever looks at it, as every question looks at the terms, would fail.
KNOWN_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2099, 12, 31))]
KNOWN_INSTANTS = [
    MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC)),
    MaxValueValidator(datetime(2100, 1, 1, tzinfo=UTC)),
]
_AGREED_FOR = 10.0  # seconds, until the database is asked again
_UNNOTICED = timedelta(seconds=1)  # the way to the database and back: time goes on evenly, and never back
# Seconds that nobody sets, and that also pass while the machine sleeps, where the system counts those.
_STEADY = getattr(ticks, "CLOCK_BOOTTIME", ticks.CLOCK_MONOTONIC)

_told: ContextVar[datetime | None] = ContextVar("told", default=None)
_agreed: tuple[datetime, float] | None = None  # what the database said, and when by the steady clock


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _told.get() or _read()


def agree(connection: "BaseDatabaseWrapper", **_signal: Any) -> None:
    """Take over the clock of a PostgreSQL that was just connected to, unless that was done a moment ago."""
    global _agreed  # noqa: PLW0603  # one per process, replaced whole
    if connection.vendor != "postgresql":
        return
    if _agreed is not None and ticks.clock_gettime(_STEADY) - _agreed[1] < _AGREED_FOR:
        return
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        [at] = cursor.fetchone()
    is_even = _agreed is not None and abs(at - _read()) < _UNNOTICED
    _agreed = _read() if is_even else at.astimezone(UTC), ticks.clock_gettime(_STEADY)


def _read() -> datetime:
    if _agreed is None:
        return datetime.now(UTC)
    at, since = _agreed
    return at + timedelta(seconds=ticks.clock_gettime(_STEADY) - since)


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


def next_month(first: date) -> date:
    """The first day of the month after the one that begins on `first`."""
    return (first + timedelta(days=31)).replace(day=1)
