"""The number that every change of certain tables raises in its own transaction, and a memory that trusts no older one.

Triggers raise it, so that a change by any process, or by hand in SQL, counts. What was read from those tables is true
for as long as the number is the same, asked inside the transaction that relies on it (decision 0023).
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from django.db import connection, transaction

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MOST_REMEMBERED = 500_000
# On PostgreSQL two transactions that raise the number should not wait for each other: each takes the row of its
# backend, and the number is the sum. A transaction raises it once.
_SLOTS = 64
_PREFIX = "revision_of_"
_TABLE = (
    "create table if not exists revision (slot integer primary key, number bigint not null, raised_by bigint not null)"
)
_FUNCTION = f"""
create or replace function raise_revision() returns trigger language plpgsql as $$ begin
update revision set number = number + 1, raised_by = txid_current()
where slot = pg_backend_pid() % {_SLOTS} and raised_by <> txid_current();
return null; end $$
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose changes count.

    Args:
        columns: an update counts when it changes one of these; all of them when empty.
        inserts: whether a new row counts. It need not where only what was found is remembered, never an absence.
    """

    table: str
    columns: tuple[str, ...] = ()
    inserts: bool = True


class Memory:
    """What was read under one revision. Only what was found is kept: an absence is looked up again each time.

    One thread at a time fills it; any thread may `peek`.
    """

    def __init__(self) -> None:
        self.revision: int | None = None
        self._found: dict[Hashable, Any] = {}

    def begin(self) -> None:
        """Before the first question: know at which revision it is asked, so that the answers can be believed later."""
        if self.revision is None:
            self.revision = read_revision()

    def recall(self, read: Callable[[*Ts], T], *args: *Ts) -> T:
        """What `read` gives for these arguments, which are hashable: remembered, or read now.

        Args:
            read: a function of nothing but its arguments and the watched tables.
        """
        key = (read, args)
        if key in self._found:
            remembered: T = self._found[key]
            return remembered
        found = read(*args)
        if found is not None and found is not False:
            self._found[key] = found
        return found

    def learn(self, read: Callable[..., Any], answers: Mapping[tuple[Any, ...], Any]) -> None:
        """What `read` would give for each of these arguments, found for many at once."""
        self._found.update({(read, args): found for args, found in answers.items()})

    def peek(self, read: Callable[[*Ts], T], *args: *Ts) -> T | None:
        """What is remembered, possibly of an older revision; nothing is read."""
        return self._found.get((read, args))

    def is_true_at(self, revision: int) -> bool:
        """Whether what is remembered still holds; if not, it is forgotten.

        Args:
            revision: what `read_revision` gave in the transaction that will rely on it.
        """
        if self.revision == revision and len(self._found) <= _MOST_REMEMBERED:
            return True
        self.revision, self._found = revision, {}
        return False


def read_revision() -> int:
    """The number now, as this transaction sees it."""
    with connection.cursor() as cursor:
        cursor.execute("select sum(number) from revision")
        return int(cursor.fetchone()[0])


def watch(tables: Sequence[Watched]) -> None:
    """See to it that the database raises the number for these tables, and for no others.

    To be run after every migration: SQLite loses a table's triggers whenever Django rebuilds it.
    """
    wanted = {name: statement for watched in tables for name, statement in _write_triggers(watched)}
    present = _list_triggers()
    if present.keys() == wanted.keys():
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLE)
        slots = _SLOTS if connection.vendor == "postgresql" else 1
        cursor.executemany(
            "insert into revision values (%s, 1, 0) on conflict do nothing", [(slot,) for slot in range(slots)]
        )
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
        for name in present.keys() - wanted.keys():
            cursor.execute(
                f"drop trigger {name}" + (f" on {present[name]}" if connection.vendor == "postgresql" else "")
            )
        for name in wanted.keys() - present.keys():
            cursor.execute(wanted[name])
        # Whoever remembers something from before there were triggers must forget it.
        cursor.execute("update revision set number = number + 1")


def _list_triggers() -> dict[str, str]:
    """The triggers that are there, each with its table."""
    catalog = "select name, tbl_name from sqlite_master where type = 'trigger'"
    if connection.vendor == "postgresql":
        catalog = "select tgname, tgrelid::regclass::text from pg_trigger where not tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(catalog)
        return {name: table for name, table in cursor.fetchall() if name.startswith(_PREFIX)}


def _write_triggers(watched: Watched) -> list[tuple[str, str]]:
    """The table's triggers, each with a name that changes with what it does."""
    if connection.vendor == "postgresql":
        each_row, each_statement = "for each row", "for each statement"
        body, events = "execute function raise_revision()", ["delete", "truncate"]
    else:
        each_row = each_statement = "for each row"
        body, events = "begin update revision set number = number + 1; end", ["delete"]
    if watched.inserts:
        events.append("insert")
    changed = " or ".join(f"old.{column} is distinct from new.{column}" for column in watched.columns)
    if connection.vendor == "sqlite":
        changed = changed.replace("is distinct from", "is not")
    triggers = [f"after {event} on {watched.table} {each_statement} {body}" for event in events]
    triggers.append(f"after update on {watched.table} {each_row} {f'when ({changed}) ' if changed else ''}{body}")
    return [
        (name, f"create trigger {name} {trigger}") for trigger in triggers for name in [_name(watched.table, trigger)]
    ]


def _name(table: str, trigger: str) -> str:
    return f"{_PREFIX}{table}_{hashlib.sha256(trigger.encode()).hexdigest()[:8]}"
