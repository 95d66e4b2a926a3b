"""Totals of very many groups: numbers in columns, because 50,000 objects would cost more than adding them up."""

import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import nlargest
from typing import Any, Self, TypeAlias, overload
from zlib import compress, decompress

from usage.types import MEASURES, Summary

Column: TypeAlias = "array[int]"


class Table(Sequence[Summary]):
    """The totals of the groups of one kind, in an order.

    Args:
        keys: the group of each line.
        columns: a column for each of `MEASURES`, in their order, as long as `keys`.
        places: which lines it has, in their order; None is all.
        is_part: the columns have more in them than these lines.
    """

    def __init__(
        self,
        keys: Sequence[Any],
        columns: Sequence[Sequence[int]],
        places: Sequence[int] | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        self.keys, self._columns, self._is_part = keys, columns, is_part
        self._places: Sequence[int] = range(len(keys)) if places is None else places

    @classmethod
    def of(cls, totals: Sequence[Summary]) -> Self:
        """The totals of groups that have one key each."""
        columns = [array("q", (getattr(each, name) for each in totals)) for name in MEASURES]
        return cls([each.key[0] for each in totals], columns)

    @classmethod
    def of_people(cls, columns: Sequence[Column]) -> Self:
        """The totals of everybody who made calls; the place of a person in the columns is the id."""
        calls = columns[0]
        for column in columns:
            _reach(column, len(calls))  # one that nobody used, as images may be, is shorter
        return cls(range(len(calls)), columns, [person for person, number in enumerate(calls) if number])

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, line: int) -> Summary: ...
    @overload
    def __getitem__(self, line: slice) -> list[Summary]: ...
    def __getitem__(self, line: int | slice) -> Summary | list[Summary]:
        if isinstance(line, slice):
            return [self._line(place) for place in self._places[line]]
        return self._line(self._places[line])

    def total(self) -> Summary:
        """All lines added up."""
        picked = (map(column.__getitem__, self._places) if self._is_part else column for column in self._columns)
        return Summary((), *map(sum, picked))

    def sorted_by(self, measure: str, *, falls: bool) -> Self:
        """The same lines by one of their numbers; equal ones stay in their order."""
        return self._in_order(self._columns[MEASURES.index(measure)].__getitem__, falls)

    def largest(self, measure: str, lines: int) -> list[Summary]:
        """At most so many lines, those with the most of a number, in their order."""
        column = self._columns[MEASURES.index(measure)]
        return [self._line(place) for place in nlargest(lines, self._places, key=column.__getitem__)]

    def sorted_by_key(self, rank: Callable[[Any], Any], *, falls: bool) -> Self:
        """The same lines by what `rank` says of their keys."""
        return self._in_order(lambda place: rank(self.keys[place]), falls)

    def only(self, keys: Collection[Any]) -> Self:
        """The lines of these groups."""
        return self._with([place for place in self._places if self.keys[place] in keys])

    def without(self, keys: Collection[Any]) -> Self:
        """The lines of all other groups."""
        return self._with([place for place in self._places if self.keys[place] not in keys]) if keys else self

    def used(self, measure: str) -> Self:
        """The lines where this number is not 0."""
        column = self._columns[MEASURES.index(measure)]
        return self._with([place for place in self._places if column[place]])

    def followed_by(self, other: Self) -> Self:
        """These lines, then those of another selection of the same table."""
        return self._with([*self._places, *other._places])

    def _line(self, place: int) -> Summary:
        return Summary((self.keys[place],), *(column[place] for column in self._columns))

    def _in_order(self, rank: Callable[[int], Any], falls: bool) -> Self:
        return self._with(sorted(self._places, key=rank, reverse=falls))

    def _with(self, places: Sequence[int]) -> Self:
        return type(self)(self.keys, self._columns, places, is_part=True)


def add_rows(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows of a person's id and the numbers to the columns, in which a person's place is the id; None is 0."""
    people, *sums = zip(*rows, strict=True) if (rows := list(rows)) else [()]
    for column, values in zip(columns, sums, strict=False):
        _reach(column, max(people) + 1)
        for person, value in zip(people, values, strict=True):
            if value:
                column[person] += value


def combine(operation: Callable[[int, int], int], column: Column, other: Column) -> Column:
    """The sums, or the differences, of two columns, place by place; the shorter one gets zeros behind it.

    Neither a number nor a result may be below 0: each column is taken as one large number, in which nothing is then
    carried from place to place. That is several times as fast as to take the places one by one.
    """
    _reach(column, len(other))
    _reach(other, len(column))
    one, two = (int.from_bytes(each.tobytes(), sys.byteorder) for each in (column, other))
    return array("q", operation(one, two).to_bytes(column.itemsize * len(column), sys.byteorder))


def pack(column: Column) -> bytes:
    """The column as it is kept in the database."""
    return compress(column.tobytes(), 1)


def unpack(packed: bytes | memoryview) -> Column:
    """The column that was packed."""
    return array("q", decompress(packed))


def _reach(column: Column, length: int) -> None:
    column.frombytes(bytes(column.itemsize * max(0, length - len(column))))
