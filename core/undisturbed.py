"""What a thread remembers of the database for as long as it is certain that nobody has written since: on SQLite.

SQLite says so itself. `PRAGMA data_version` changes with what any other connection commits; it is asked inside a
transaction that writes, when no other can. `total_changes` counts what this connection has changed, kept or taken back.
Where both are what they were, every row is as it was left. PostgreSQL can say nothing of the kind: there nothing is
remembered.
"""

from functools import partial
from threading import local
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from core.rows import IS_SQLITE

T = TypeVar("T")


class Undisturbed(local, Generic[T]):
    """One memory of each thread. A value is taken and kept in one transaction, or lost."""

    _value: T | None = None
    _proof: tuple[Any, ...] = ()  # the connection, the version of others' changes, and the number of its own

    def take(self) -> T | None:
        """First in a transaction that writes: what was kept, if it is still true. It is gone until it is kept again."""
        value, self._value = self._value, None
        if not IS_SQLITE:
            return None
        database = connections[DEFAULT_DB_ALIAS].connection
        self._begun = database, *database.execute("PRAGMA data_version").fetchone()
        return value if value is not None and self._proof == (*self._begun, database.total_changes) else None

    def keep(self, value: T) -> None:
        """Then, after its last change: what is remembered once that is committed."""
        if IS_SQLITE:
            proof = (*self._begun, self._begun[0].total_changes)
            transaction.on_commit(partial(self._keep, value, proof))

    def _keep(self, value: T, proof: tuple[Any, ...]) -> None:
        database, _others, own = proof
        if own == database.total_changes:  # else that was not its last change
            self._value, self._proof = value, proof
