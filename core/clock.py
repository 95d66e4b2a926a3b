"""The one clock. Everything that asks for the time asks here, so that tests can move it.

A day is a calendar day of the installation's time zone (TIME_ZONE), whatever zone the worker or the reader is in.
"""

from datetime import UTC, date, datetime, time

from django.utils import timezone


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return timezone.now()


def local_day(at: datetime) -> date:
    """The calendar day of the instant `at` in the installation's time zone."""
    return at.astimezone(timezone.get_default_timezone()).date()


def start_of(day: date) -> datetime:
    """The instant, in UTC, at which `day` begins in the installation's time zone.

    Where summer time skips midnight this is the first instant after the gap; where midnight comes twice, the first.
    """
    return datetime.combine(day, time.min, timezone.get_default_timezone()).astimezone(UTC)
