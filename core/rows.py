"""Many rows in one statement, without an instance for each: for the few places where the ORM would be the cost.

Rows go in and come out as tuples of plain values: identifiers as UUID, instants as aware datetimes in UTC. SQLite runs
one prepared statement per row, PostgreSQL takes all rows as one JSON value: each was measured to be the faster there.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Model

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A field as SQL knows it: its name, its type, and Django's word for its kind."""

    name: str
    type: str
    kind: str


Fields = tuple[Column, ...]


def insert(model: type[Model], names: Sequence[str], rows: Collection[Row], *, ignore_conflicts: bool = False) -> None:
    """Insert the rows, in their order.

    Args:
        ignore_conflicts: a row that a unique constraint speaks against is left out.

    Raises:
        IntegrityError: a constraint refuses a row; none is inserted.
    """
    if rows:
        fields = fields_of(model, *names)
        _run(_write_insert(model, fields, ignore_conflicts, connection.vendor), fields, rows)


def update(
    model: type[Model], rows: Collection[Row], *, key: str, expected: Sequence[str] = (), changed: Sequence[str]
) -> int:
    """Write each row where its key is, if the `expected` fields are still what they were; how many were written.

    Args:
        rows: the key, the expected values, the new values.
    """
    if not rows:
        return 0
    fields = fields_of(model, key, *expected, *changed)
    return _run(_write_update(model, fields, len(expected), connection.vendor), fields, rows)


def fetch(statement: str, parameters: Iterable[Any], fields: Fields) -> list[tuple[Any, ...]]:
    """The rows a statement gives, its columns being of the kinds of these fields."""
    with connection.cursor() as cursor:
        cursor.execute(statement, tuple(parameters))
        rows = cursor.fetchall()
    if connection.vendor != "sqlite":
        return list(rows)
    decoders = _codecs(fields, decoding=True)
    for place, decode in decoders:
        rows = [row if row[place] is None else (*row[:place], decode(row[place]), *row[place + 1 :]) for row in rows]
    return list(rows)


@cache
def fields_of(model: type[Model], *names: str) -> Fields:
    """The model's fields of these names."""
    return tuple(_column(model, name) for name in names)


def _column(model: type[Model], name: str) -> Column:
    field: Any = model._meta.get_field(name)
    target = getattr(field, "target_field", field)
    return Column(field.column, target.rel_db_type(connection), target.get_internal_type())


def given(name: str, fields: Fields) -> str:
    """SQL of a table of values that come as one parameter, made by `pack`: columns c0, c1, ... of the fields' types."""
    if connection.vendor == "sqlite":
        columns = ", ".join(f"json_extract(value, '$[{place}]') c{place}" for place in range(len(fields)))
        return f"(select {columns} from json_each(%s)) {name}"
    return f"json_to_recordset(%s::json) {name}({_list_types(fields)})"


def pack(fields: Fields, rows: Iterable[Row]) -> str:
    """The rows as the parameter of `given`."""
    if connection.vendor == "sqlite":
        return orjson.dumps(_encode(fields, rows)).decode()
    names = [f"c{place}" for place in range(len(fields))]
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _run(statement: str, fields: Fields, rows: Collection[Row]) -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(statement, _encode(fields, rows))
        else:
            cursor.execute(statement, (pack(fields, rows),))
        return int(cursor.rowcount)


@cache
def _write_insert(model: type[Model], fields: Fields, ignore_conflicts: bool, vendor: str) -> str:
    columns = ", ".join(field.name for field in fields)
    values = f"select * from {given('g', fields)}"
    if vendor == "sqlite":
        values = f"values ({', '.join(['%s'] * len(fields))})"
    ending = " on conflict do nothing" if ignore_conflicts else ""
    return f"insert into {model._meta.db_table} ({columns}) {values}{ending}"


@cache
def _write_update(model: type[Model], fields: Fields, expected: int, vendor: str) -> str:
    table, (key, *others) = model._meta.db_table, [field.name for field in fields]
    values = [f"g.c{place}" for place in range(len(fields))]
    source = f" from {given('g', fields)}"
    if vendor == "sqlite":
        # Bound by place: ?1 is the first value of the row.
        values, source = [f"?{place + 1}" for place in range(len(fields))], ""
    changes = ", ".join(
        f"{name} = {value}" for name, value in zip(others[expected:], values[expected + 1 :], strict=True)
    )
    beliefs = [
        f"t.{name} = {value}" for name, value in zip([key, *others[:expected]], values[: expected + 1], strict=True)
    ]
    return f"update {table} as t set {changes}{source} where {' and '.join(beliefs)}"


def _list_types(fields: Fields) -> str:
    return ", ".join(f"c{place} {field.type}" for place, field in enumerate(fields))


def _encode(fields: Fields, rows: Iterable[Row]) -> list[list[Any]]:
    encoded = [list(row) for row in rows]
    for place, encode in _codecs(fields, decoding=False):
        for row in encoded:
            if row[place] is not None:
                row[place] = encode(row[place])
    return encoded


@cache
def _codecs(fields: Fields, *, decoding: bool) -> list[tuple[int, Callable[[Any], Any]]]:
    """Where in a row SQLite has no such type, and how it is written or read there."""
    codecs: dict[str, Callable[[Any], Any]] = _DECODERS if decoding else _ENCODERS
    return [(place, codecs[field.kind]) for place, field in enumerate(fields) if field.kind in codecs]


def _write_uuid(value: UUID) -> str:
    return value.hex


@lru_cache(maxsize=64)  # most rows of a batch have the same one
def _write_instant(value: datetime) -> str:
    return str(value.replace(tzinfo=None))


def _read_instant(value: datetime | str) -> datetime:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.replace(tzinfo=UTC)


_ENCODERS: dict[str, Callable[[Any], Any]] = {"UUIDField": _write_uuid, "DateTimeField": _write_instant}
_DECODERS: dict[str, Callable[[Any], Any]] = {"UUIDField": UUID, "DateTimeField": _read_instant}
