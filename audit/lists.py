"""The lists of the administrators' pages: sorted, filtered, turned by key, and exported as they are shown.

One `Listing` describes a list; `components/list.html` shows it. What narrows and sorts it stands in the address. Pages
are found by the last row seen, not by counting: a page costs the same wherever it lies. A CSV is streamed in pieces of
the same kind, so that memory does not grow with it. It stands beside the log because an export is an act.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.functional import Promise

from audit.services import record
from core.errors import InvalidRequest
from core.text import csv_line
from core.threads import hop

T = TypeVar("T")
PAGE = 50
CHUNK = 2000  # rows of a CSV in memory at once
COUNTED = 10_000  # beyond it, a list is "more than" so long: counting would cost more than the page

# Of a table, or a few that were worked out: these have a text as `pk` each, and are sorted here.
Rows: TypeAlias = QuerySet[Any] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: its word in the address.
        title: its head.
        cell: its value in a CSV; None for a column of buttons, whose title only those hear who cannot see them.
        order_by: the field or annotation to sort by, one that is never empty; "" where the column cannot be sorted.
        is_number: set to the right.
        is_below: on the page it stands in the cell of the column before it, under both titles.
    """

    name: str
    title: str | Promise
    cell: Callable[[Any], object] | None
    order_by: str = ""
    is_number: bool = False
    is_below: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a list, and the keys that lead to those before and after."""

    rows: Sequence[Any]
    before: object = None
    after: object = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of one kind of thing.

    Args:
        name: the name of the exported file, and of the act of exporting it.
        columns: from left to right.
        row: the template of a row's cells, given `item`.
        order: the column it is sorted by unless the address says otherwise; "-" in front for falling.
    """

    name: str
    columns: tuple[Column, ...]
    row: str
    order: str

    def answer(
        self,
        request: HttpRequest,
        rows: Rows | None,
        *,
        template: str,
        form: forms.Form | None = None,
        totals: Mapping[str, object] | None = None,
        context: dict[str, Any] | None = None,
        status: int = 200,
        path: str = "",
    ) -> HttpResponseBase:
        """The page or, with `format=csv` in the address, the file of all its pages.

        Args:
            rows: the rows that match, in any order; None when the filter cannot be read.
            form: the filter.
            totals: what all the rows that match come to, by the name of the column.
            path: where the list stands, if not at the address that is answered.
        """
        path = path or request.path
        context = {"filters": form, "list": None, "list_path": path, **(context or {})}
        if rows is None:
            return render(request, template, context, status=400)
        chosen = self._chosen(request)
        if request.GET.get("format") == "csv":
            return self._file(request, rows, self._order_of(chosen))
        window = window_of(
            rows,
            order=self._order_of(chosen),
            after=_key(rows, request.GET.get("after")),
            before=_key(rows, request.GET.get("before")),
        )
        counted = rows.order_by().values("pk")[: COUNTED + 1].count() if isinstance(rows, QuerySet) else len(rows)
        context["list"] = {
            "row": self.row,
            "heads": self._heads(request, chosen, path),
            "window": window,
            "count": min(counted, COUNTED),
            "is_more": counted > COUNTED,
            "query": _query(request, "after", "before", "format"),
            "totals": self._by_cell((column, totals.get(column.name, "")) for column in self.columns)
            if totals
            else None,
        }
        return render(request, template, context, status=status)

    def _chosen(self, request: HttpRequest) -> str:
        asked = request.GET.get("sort", "")
        known = {column.name for column in self.columns if column.order_by}
        return asked if asked.removeprefix("-") in known else self.order

    def _order_of(self, chosen: str) -> str:
        field = next(column.order_by for column in self.columns if column.name == chosen.removeprefix("-"))
        return f"-{field}" if chosen.startswith("-") else field

    def _heads(self, request: HttpRequest, chosen: str, path: str) -> list[list[dict[str, Any]]]:
        query = _query(request, "after", "before", "format", "sort")
        sorted_by = {chosen.removeprefix("-"): "descending" if chosen.startswith("-") else "ascending"}
        return self._by_cell(
            {
                "title": column.title,
                "is_number": column.is_number,
                "is_hidden": column.cell is None,
                "href": column.order_by and f"{path}?{query}&sort={'-' if chosen == column.name else ''}{column.name}",
                "sorted": sorted_by.get(column.name, ""),
            }
            for column in self.columns
        )

    def _by_cell(self, of_columns: Iterable[T]) -> list[list[T]]:
        """What there is of each column, by the cell of the page in which the column stands."""
        cells: list[list[T]] = []
        for column, one in zip(self.columns, of_columns, strict=True):
            if not column.is_below:
                cells.append([])
            cells[-1].append(one)
        return cells

    def _file(self, request: HttpRequest, rows: Rows, order: str) -> StreamingHttpResponse:
        record(f"{self.name}.export", subject=self.name, changes={"asked": [None, _query(request, "format")]})
        # Now, in the reader's language; the byte order mark tells spreadsheets that the text is UTF-8.
        head = "\ufeff" + csv_line(str(column.title) for column in self.columns if column.cell)
        return StreamingHttpResponse(
            self._lines(head, rows, order),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self.name}.csv"'},
        )

    async def _lines(self, head: str, rows: Rows, order: str) -> AsyncIterator[str]:
        yield head
        cells = [column.cell for column in self.columns if column.cell]
        window = await hop(window_of, rows, order=order, size=CHUNK)
        while window.rows:
            yield "".join(csv_line(cell(row) for cell in cells) for row in window.rows)
            if window.after is None:
                return
            window = await hop(window_of, rows, order=order, size=CHUNK, after=window.after)


def window_of(rows: Rows, *, order: str, after: object = None, before: object = None, size: int = PAGE) -> Window:
    """At most `size` rows in `order`, those after or before the row with that key; from the start without one."""
    if not isinstance(rows, QuerySet):
        return _window_of_few(rows, order=order, after=after, before=before, size=size)
    is_falling, field = order.startswith("-"), order.removeprefix("-")
    if before is not None:
        is_falling = not is_falling
    edge = before if before is not None else after
    if edge is not None:
        rows = rows.filter(_beyond(rows, field, edge, is_falling=is_falling))
    sign = "-" if is_falling else ""
    found = list(rows.order_by(*dict.fromkeys((f"{sign}{field}", f"{sign}pk")))[: size + 1])
    is_more = len(found) > size
    found = found[:size]
    if before is not None:
        found.reverse()
        return Window(found, found[0].pk if found and is_more else None, found[-1].pk if found else None)
    return Window(found, found[0].pk if found and after is not None else None, found[-1].pk if is_more else None)


def _window_of_few(rows: Sequence[Any], *, order: str, after: object, before: object, size: int) -> Window:
    found = sorted(rows, key=attrgetter(order.removeprefix("-"), "pk"), reverse=order.startswith("-"))
    places = {row.pk: place for place, row in enumerate(found)}
    if before in places:
        end = places[before]
        start = max(0, end - size)
    else:
        start = places[after] + 1 if after in places else 0
        end = start + size
    shown = found[start:end]
    return Window(shown, shown[0].pk if shown and start else None, shown[-1].pk if end < len(found) else None)


def _beyond(rows: QuerySet[Any], field: str, edge: object, *, is_falling: bool) -> Q:
    # A row that the filter does not let through any more still has its place, unless the place is computed.
    known = rows if field in rows.query.annotations else rows.model._default_manager
    value = known.filter(pk=edge).order_by().values_list(field, flat=True).first()
    if value is None:
        return Q()  # the row is gone, or never was: from the start
    beyond = "lt" if is_falling else "gt"
    # The first condition says nothing new: it is where an index can begin, which no OR can tell it.
    return Q(**{f"{field}__{beyond}e": value}) & (
        Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, f"pk__{beyond}": edge})
    )


def _key(rows: Rows, text: str | None) -> object:
    if not text:
        return None
    if not isinstance(rows, QuerySet):
        return text
    try:
        if len(text) > 40 or (text.isdigit() and len(text) > 18):
            raise ValidationError("")
        return rows.model._meta.pk.to_python(text)
    except ValidationError as error:
        raise InvalidRequest(param="after") from error


def _query(request: HttpRequest, *without: str) -> str:
    """What stands in the address, but for these."""
    kept = request.GET.copy()
    for name in without:
        kept.pop(name, None)
    return kept.urlencode()
