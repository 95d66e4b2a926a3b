"""Periods are computed from the clock, in the installation's time zone (D11, C20)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from quotas.types import Period
from quotas.windows import window_of

SECOND = timedelta(seconds=1)
INSTANTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_a_month_begins_and_ends_at_midnight_in_hong_kong() -> None:
    window = window_of(Period.MONTH, utc(2026, 11, 22, 7, 30))
    assert window.starts_at == utc(2026, 10, 31, 16)
    assert window.ends_at == utc(2026, 11, 30, 16)


@pytest.mark.parametrize(
    "midnight",
    [
        utc(2027, 1, 31, 16),
        utc(2027, 2, 28, 16),
        utc(2028, 2, 29, 16),
        utc(2027, 4, 30, 16),
        utc(2026, 12, 31, 16),
    ],
    ids=["January", "February", "leap day", "April", "year's end"],
)
def test_the_second_before_midnight_is_the_old_month_and_midnight_the_new(midnight: datetime) -> None:
    before, after = window_of(Period.MONTH, midnight - timedelta(microseconds=1)), window_of(Period.MONTH, midnight)
    assert before.ends_at == midnight == after.starts_at


def test_february_28_of_a_leap_year_does_not_end_the_month() -> None:
    window = window_of(Period.MONTH, utc(2028, 2, 28, 16))
    assert (window.starts_at, window.ends_at) == (utc(2028, 1, 31, 16), utc(2028, 2, 29, 16))


def test_a_week_begins_on_monday() -> None:
    sunday_night = utc(2026, 11, 22, 15, 59, 59)
    assert window_of(Period.WEEK, sunday_night).ends_at == utc(2026, 11, 22, 16)
    assert window_of(Period.WEEK, sunday_night + SECOND).starts_at == utc(2026, 11, 22, 16)


def test_a_day_is_a_local_day() -> None:
    window = window_of(Period.DAY, utc(2026, 11, 22, 16))
    assert (window.starts_at, window.ends_at) == (utc(2026, 11, 22, 16), utc(2026, 11, 23, 16))


def test_once_is_one_window_for_ever() -> None:
    assert window_of(Period.ONCE, utc(2026, 1, 1)) == window_of(Period.ONCE, utc(2099, 1, 1))
    assert window_of(Period.ONCE, utc(2026, 1, 1)).ends_at is None


def test_a_day_of_summer_time_change_is_shorter_or_longer(settings: LazySettings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    spring, autumn = window_of(Period.DAY, utc(2027, 3, 28, 12)), window_of(Period.DAY, utc(2027, 10, 31, 12))
    assert spring.ends_at and spring.ends_at - spring.starts_at == timedelta(hours=23)
    assert autumn.ends_at and autumn.ends_at - autumn.starts_at == timedelta(hours=25)


def test_a_day_whose_midnight_is_skipped_begins_after_the_gap(settings: LazySettings) -> None:
    settings.TIME_ZONE = "Africa/Cairo"  # 2027-04-30: 00:00 becomes 01:00
    gap = utc(2027, 4, 29, 22)
    assert window_of(Period.DAY, gap - SECOND).ends_at == gap == window_of(Period.DAY, gap).starts_at


@pytest.mark.parametrize(
    "zone", ["Asia/Hong_Kong", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Kolkata"]
)
@given(at=INSTANTS, period=st.sampled_from(Period))
def test_every_instant_lies_in_its_window_and_windows_meet(zone: str, at: datetime, period: Period) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.clock.timezone.get_default_timezone", lambda: ZoneInfo(zone))
        window = window_of(period, at)
        assert window.starts_at <= at
        assert window_of(period, window.starts_at) == window
        if window.ends_at is not None:
            assert at < window.ends_at
            assert window_of(period, window.ends_at).starts_at == window.ends_at
            assert window_of(period, window.ends_at - SECOND) == window
