"""The books, read through: what they say now, and each movement on the way there."""

from collections import Counter, defaultdict

from quotas.models import LedgerEntry, Reservation
from quotas.selectors import find_differences
from quotas.types import OPEN_STATES

COUNTERS = ("used", "held", "granted")


def has_open_calls() -> bool:
    """Whether a call has not ended: what failed to be concluded at first is tried again, whoever was answered."""
    return Reservation.objects.filter(state__in=OPEN_STATES).exists()


def check_books() -> None:
    """Counters, reservations and entries agree, each entry says truly what it left behind, and whatever was let in had
    room under the limit of its day (C02, C03)."""
    assert find_differences() == []
    purses: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for entry in LedgerEntry.objects.order_by("id").iterator():
        purse = purses[entry.allowance_id]
        purse.update({name: getattr(entry, f"delta_{name}") for name in COUNTERS})
        assert {name: getattr(entry, f"{name}_after") for name in COUNTERS} == purse, entry.pk
        assert min(purse.values()) >= 0, entry.pk
        if entry.delta_held > 0 and entry.limit_then is not None:
            assert purse["used"] + purse["held"] <= entry.limit_then + purse["granted"], entry.pk
