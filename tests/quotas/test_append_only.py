"""The books are written once: a correction is a new entry."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from core.append_only import AppendOnlyError
from quotas.models import LedgerEntry
from tests.quotas.conftest import use
from tests.usage.test_record_usage import record


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


@pytest.mark.both_databases
@pytest.mark.parametrize("table", ["quotas_ledgerentry", "usage_usagerecord"])
def test_the_database_itself_refuses(sara: User, table: str) -> None:
    use(sara)
    record(sara)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"update {table} set id = id")  # noqa: S608 (a fixed name)
