"""Identifiers stand in the order in which they were made."""

import time
from itertools import chain, count, repeat

import pytest

from core.ids import new_id

NOON = 1_764_331_200_000  # milliseconds


def test_an_id_is_a_uuid_of_version_7_that_begins_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.ids._last", 0)
    monkeypatch.setattr(time, "time_ns", lambda: NOON * 1_000_000 + 999_999)
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == NOON


def test_the_later_of_two_is_the_greater_even_when_the_clock_stands_still_or_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question and its answer are made in one millisecond, and are read in the order of their ids."""
    monkeypatch.setattr("core.ids._last", 0)
    seconds = chain(repeat(0, 10_000), count(0, -1))
    monkeypatch.setattr(time, "time_ns", lambda: (NOON + 1_000 * next(seconds)) * 1_000_000)
    made = [new_id() for _ in range(11_000)]
    assert made == sorted(set(made))
