"""What the writers of the ledger share: the counters a movement touches, and the entry that proves it."""

from collections.abc import Sequence
from datetime import datetime

from quotas.models import Allowance, LedgerEntry
from quotas.selectors import find_allowances, terms_for
from quotas.types import (
    EntryKind,
    Kind,
)
from quotas.windows import window_of


def lock_allowances(user_id: int, kinds: Sequence[Kind], at: datetime) -> list[Allowance]:
    """The person's allowances of these kinds in their present windows, made where missing, locked in order of id."""
    wanted = find_allowances(user_id, kinds, at).select_for_update()
    found = list(wanted)
    if len(found) < len(kinds):
        terms = terms_for(kinds)
        missing = sorted(set(kinds) - {allowance.kind for allowance in found})
        # Many may come first at once: the constraint lets one insert win, the others wait for it and find its row.
        Allowance.objects.bulk_create(
            [
                Allowance(
                    user_id=user_id,
                    unit=unit,
                    period=period,
                    scope=scope,
                    window_start=window_of(period, at, terms).starts_at,
                )
                for unit, period, scope in missing
            ],
            ignore_conflicts=True,
        )
        found = list(wanted.all())
    return found


def entry_of(
    allowance: Allowance, kind: EntryKind, at: datetime, *, used: int = 0, held: int = 0, granted: int = 0
) -> LedgerEntry:
    """One movement of an allowance whose counters hold it already."""
    return LedgerEntry(
        allowance=allowance,
        kind=kind,
        at=at,
        delta_used=used,
        delta_held=held,
        delta_granted=granted,
        used_after=allowance.used,
        held_after=allowance.held,
        granted_after=allowance.granted,
    )
