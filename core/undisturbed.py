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
    _proof: tuple[Any, ...] = ()

    def take(self) -> T | None:
        """In a transaction that writes: what was kept, if it is still true. It is gone until it is kept again."""
        value, self._value = self._value, None
        return value if value is not None and self._proof == _look() else None

    def keep(self, value: T) -> None:
        """In a transaction, after its last change: what is remembered once that is committed."""
        if IS_SQLITE:
            transaction.on_commit(partial(self._keep, value, _look()))

    def _keep(self, value: T, proof: tuple[Any, ...]) -> None:
        _database, _others, own = proof
        if own == connections[DEFAULT_DB_ALIAS].connection.total_changes:  # else that was not its last change
            self._value, self._proof = value, proof


def _look() -> tuple[Any, ...]:
    """The connection, the version of others' changes, and the number of its own."""
    database = connections[DEFAULT_DB_ALIAS].connection
    return database, *database.execute("PRAGMA data_version").fetchone(), database.total_changes
