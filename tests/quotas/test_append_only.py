"""The books are written once: a correction is a new entry."""

import pytest

from accounts.models import User
from core.append_only import AppendOnlyError
from quotas.models import LedgerEntry
from tests.quotas.conftest import use


def test_an_entry_cannot_be_saved_again_or_removed(sara: User) -> None:
    use(sara)
    entry = LedgerEntry.objects.first()
    assert entry is not None
    with pytest.raises(AppendOnlyError):
        entry.save()
    with pytest.raises(AppendOnlyError):
        entry.delete()
    with pytest.raises(AppendOnlyError):
        LedgerEntry.objects.update(delta_used=0)
    with pytest.raises(AppendOnlyError):
        LedgerEntry.objects.filter(allowance__user=sara).delete()
