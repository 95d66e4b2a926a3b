"""Many rows in one statement, without an instance for each: for the few places where the ORM would be the cost.

Rows go in and come out as tuples of plain values: identifiers as UUID, instants as aware datetimes in UTC. PostgreSQL
takes rows as one JSON value. SQLite takes them as one list of values, and gives all it is asked for as one JSON value:
at each row, given or taken, its driver lets the other threads of the process go first (docs/decisions/0014).
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain, groupby
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model

Row = Sequence[Any]

_MOST_AT_ONCE = 256  # rows of one statement on SQLite

# For the whole process: the driver asks how to adapt each None, and takes 0.3 µs to find out that nobody has said.
sqlite3.register_adapter(type(None), {None: None}.get)

# Asked so often that the way through Django's proxy to the thread's connection would count.
IS_SQLITE = connection.vendor == "sqlite"


class Column(NamedTuple):
    """A field as SQL knows it: its name, its type, and Django's word for its kind."""

    name: str
    type: str
    kind: str


Fields = tuple[Column, ...]
Codecs = Mapping[str, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters, to be given to `run`.

    Args:
        parameters: its values; where it `takes_rows`, these, for the one place in it.
        gives: what the rows are that it gives; None: it changes rows, and how many is the answer.
    """

    text: str
    parameters: Sequence[Any]
    gives: Fields | None = None
    takes_rows: bool = False


def run(*statements: Statement | None) -> list[Any]:
    """Run the statements, in their order: the rows each gives, or how many it changed.

    PostgreSQL gets them all in one go, so that they cost one round trip; SQLite those that follow each other and only
    read. For None nothing is run, and the answer is empty.

    Raises:
        DatabaseError: of the first that failed.
    """
    if not any(statements):
        return [[] for _ in statements]
    here: Any = connections[DEFAULT_DB_ALIAS]
    if IS_SQLITE:
        with here._prepare_cursor(here.connection.cursor(_Cursor)) as cursor:  # with Django's hooks around it
            return list(_run_on_sqlite(statements, cursor))
    with here.wrap_database_errors:
        with here.connection.pipeline():
            cursors = [_send(statement, here) if statement else None for statement in statements]
        pairs = zip(statements, cursors, strict=True)
        return [_answer(statement, cursor) if statement else [] for statement, cursor in pairs]


def insert(model: type[Model], names: Sequence[str], rows: Collection[Row], *, ignore_conflicts: bool = False) -> None:
    """Insert the rows, in their order; see `insertion`."""
    run(insertion(model, names, rows, ignore_conflicts=ignore_conflicts))


def insertion(
    model: type[Model], names: Sequence[str], rows: Collection[Row], *, ignore_conflicts: bool = False
) -> Statement | None:
    """Inserts the rows, in their order; a constraint that refuses one (IntegrityError) refuses all.

    Args:
        rows: none is None in its first field.
        ignore_conflicts: a row that a unique constraint speaks against is left out.
    """
    fields = fields_of(model, *names)
    return _with_rows(_write_insert(model, fields, ignore_conflicts), fields, rows)


def update(
    model: type[Model], rows: Collection[Row], *, key: str, expected: Sequence[str] = (), changed: Sequence[str]
) -> Statement | None:
    """Writes each row where its key is, if the `expected` fields are still what they were; the answer: how many.

    Args:
        rows: the key, the expected values, the new values.
    """
    fields = fields_of(model, key, *expected, *changed)
    return _with_rows(_write_update(model, fields, len(expected)), fields, rows)


@cache
def fields_of(model: type[Model], *names: str) -> Fields:
    """The model's fields of these names."""
    return tuple(_column(model, name) for name in names)


def _column(model: type[Model], name: str) -> Column:
    field: Any = model._meta.get_field(name)
    target = getattr(field, "target_field", field)
    return Column(field.column, target.rel_db_type(connection), target.get_internal_type())


@cache
def given(name: str, fields: Fields) -> str:
    """SQL of a table of values that come as one parameter, made by `pack`: columns c0, c1, ... of the fields' types."""
    if IS_SQLITE:
        columns = ", ".join(f"json_extract(value, '$[{place}]') c{place}" for place in range(len(fields)))
        return f"(select {columns} from json_each(%s)) {name}"
    return f"json_to_recordset(%s::json) {name}({_list_types(fields)})"


def pack(fields: Fields, rows: Collection[Row]) -> str:
    """The rows as the parameter of `given`."""
    if IS_SQLITE:
        return orjson.dumps(_translate(_ENCODERS, fields, rows)).decode()
    names = [f"c{place}" for place in range(len(fields))]
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _with_rows(text: str, fields: Fields, rows: Collection[Row]) -> Statement | None:
    if not rows:
        return None
    if IS_SQLITE:
        return Statement(text, _translate(_ENCODERS, fields, rows), takes_rows=True)
    return Statement(text, [pack(fields, rows)])


class _Cursor(sqlite3.Cursor):
    """Takes Django's SQL, as Django's own does; what it is in SQLite's spelling is worked out once for each text."""

    def execute(self, text: str, parameters: Any = ()) -> "_Cursor":
        super().execute(_spell(text), parameters)
        return self


@lru_cache(maxsize=512)
def _spell(text: str) -> str:
    return text.replace("%s", "?")


def _run_on_sqlite(statements: Sequence[Statement | None], cursor: Any) -> Iterator[Any]:
    for is_reading, alike in groupby(statements, lambda statement: statement is None or statement.gives is not None):
        if is_reading:
            yield from _read_together(list(alike), cursor)
        else:
            for statement in alike:
                yield _change(statement, cursor) if statement else []


def _read_together(statements: Sequence[Statement | None], cursor: Any) -> Iterator[Any]:
    """What each gives: one row of one statement, a column of JSON for each of them."""
    asked = [statement for statement in statements if statement]
    found: Iterator[str] = iter(())
    if asked:
        text = _join(tuple((statement.text, len(statement.gives or ())) for statement in asked))
        cursor.execute(text, [value for statement in asked for value in statement.parameters])
        found = iter(cursor.fetchone())
    for statement in statements:
        yield _translate(_DECODERS, statement.gives or (), orjson.loads(next(found))) if statement else []


@lru_cache(maxsize=64)
def _join(queries: Sequence[tuple[str, int]]) -> str:
    """One query of these, each given with the number of its columns; the answers keep the order each asks for."""
    parts, wholes = [], []
    for place, (text, width) in enumerate(queries):
        columns = ", ".join(f"c{column}" for column in range(width))
        parts.append(f"q{place}({columns}) as ({text})")
        wholes.append(f"(select json_group_array(json_array({columns})) from q{place})")
    return f"with {', '.join(parts)} select {', '.join(wholes)}"


def _change(statement: Statement, cursor: Any) -> int:
    """How many rows the statement changed."""
    if not statement.takes_rows:
        cursor.execute(statement.text, statement.parameters)
        return int(cursor.rowcount)
    changed, rows = 0, statement.parameters
    for begin in range(0, len(rows), _MOST_AT_ONCE):
        some = rows[begin : begin + _MOST_AT_ONCE]
        width, count = len(some[0]), len(some)
        step = max(0, count.bit_length() - 2)
        places = -(-count >> step) << step  # 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: few statements are prepared, and kept
        nothing = [None, *[0] * (width - 1)] * (places - count)
        cursor.execute(_with_places(statement.text, width, places), [*chain.from_iterable(some), *nothing])
        changed += cursor.rowcount
    return changed


@lru_cache(maxsize=512)
def _with_places(text: str, width: int, count: int) -> str:
    """The statement with places for so many rows."""
    row = f"({', '.join(['%s'] * width)})"
    return text % f"(values {', '.join([row] * count)}) g"


def _send(statement: Statement, here: Any) -> Any:
    """A cursor that has sent the statement; PostgreSQL itself puts the values in, and so can keep its plan."""
    cursor = here._prepare_cursor(here.Database.Cursor(here.connection))  # with Django's hooks around it
    cursor.execute(statement.text, statement.parameters)
    return cursor


def _answer(statement: Statement, cursor: Any) -> Any:
    return int(cursor.rowcount) if statement.gives is None else cursor.fetchall()


@cache
def _write_insert(model: type[Model], fields: Fields, ignore_conflicts: bool) -> str:
    columns = ", ".join(field.name for field in fields)
    source = "%s where column1 is not null" if IS_SQLITE else given("g", fields)
    ending = " on conflict do nothing" if ignore_conflicts else ""
    return f"insert into {model._meta.db_table} ({columns}) select * from {source}{ending}"


@cache
def _write_update(model: type[Model], fields: Fields, expected: int) -> str:
    table, (key, *others) = model._meta.db_table, [field.name for field in fields]
    # SQLite counts the columns of a list of values from one.
    values = [f"g.column{place + 1}" if IS_SQLITE else f"g.c{place}" for place in range(len(fields))]
    source = "%s" if IS_SQLITE else given("g", fields)
    changes = ", ".join(
        f"{name} = {value}" for name, value in zip(others[expected:], values[expected + 1 :], strict=True)
    )
    beliefs = [
        f"t.{name} = {value}" for name, value in zip([key, *others[:expected]], values[: expected + 1], strict=True)
    ]
    return f"update {table} as t set {changes} from {source} where {' and '.join(beliefs)}"


def _list_types(fields: Fields) -> str:
    return ", ".join(f"c{place} {field.type}" for place, field in enumerate(fields))


def _translate(codecs: Codecs, fields: Fields, rows: Collection[Row]) -> list[tuple[Any, ...]]:
    """The rows with what SQLite has no type for as it is written there, or as it is read: column by column."""
    if not rows:
        return []
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, kind in _list_kinds(fields):
        translate = codecs[kind]
        columns[place] = [None if value is None else translate(value) for value in columns[place]]
    return list(zip(*columns, strict=True))


@cache
def _list_kinds(fields: Fields) -> list[tuple[int, str]]:
    """Where there is something to translate, and what."""
    return [(place, field.kind) for place, field in enumerate(fields) if field.kind in _ENCODERS]


def _write_uuid(value: UUID) -> str:
    return f"{value.int:032x}"


@lru_cache(maxsize=1024)
def _read_uuid(value: str) -> UUID:
    return UUID(int=int(value, 16))  # half the work of reading any spelling


@lru_cache(maxsize=64)  # most rows of a batch have the same one
def _write_instant(value: datetime) -> str:
    return str(value.replace(tzinfo=None))


@lru_cache(maxsize=64)
def _read_instant(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _write_json(value: Any) -> str:
    return orjson.dumps(value).decode()


_ENCODERS: Codecs = {"UUIDField": _write_uuid, "DateTimeField": _write_instant, "JSONField": _write_json}
_DECODERS: Codecs = {"UUIDField": _read_uuid, "DateTimeField": _read_instant, "JSONField": orjson.loads}
