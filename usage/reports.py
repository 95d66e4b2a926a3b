"""What a page of use shows: the table, its picture, and the trend, put together once for the page and for its CSV."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, overload

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from core import clock
from usage.selectors import count_people, label_keys, list_people, list_peopled, rank_people, summarize, tabulate
from usage.small_groups import groups_to_hide
from usage.tables import Table
from usage.types import Group, Measure, Summary, UsageFilters

MOST_SERIES = 6  # as many as the charts have colors
MOST_COLUMNS = 366  # more would be thinner than a line
BY_TIME: tuple[Group, ...] = ("day", "week", "month")
OF_PEOPLE: tuple[Group, ...] = ("department", "course", "role")  # groups that say something about whoever is in them
_DAY = timedelta(days=1)
_SMALLEST = 5
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A hidden group has no numbers at all.

    Args:
        parts: the measure of each series, where the table is split.
    """

    key: Any
    label: str
    total: Summary
    parts: tuple[int, ...] = ()
    is_hidden: bool = False

    @property
    def in_parts(self) -> int:
        """The sum of the parts."""
        return sum(self.parts)


class Rows(Sequence[Row]):
    """The lines of a table, made when they are asked for: of 50,000 people a page names a hundred.

    Args:
        totals: one for each line, in their order.
        make: the lines for some of them.
    """

    def __init__(self, totals: Sequence[Summary], make: Callable[[Sequence[Summary]], list[Row]]) -> None:
        self._totals, self._make = totals, make

    def __len__(self) -> int:
        return len(self._totals)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        return self._make(self._totals[place]) if isinstance(place, slice) else self._make([self._totals[place]])[0]

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), _CHUNK):
            yield from self[start : start + _CHUNK]


@dataclass(frozen=True, slots=True)
class Picture:
    """What the chart draws: columns from left to right, and one number per column for each series."""

    title: str
    labels: list[str]
    series: list[tuple[str, list[int]]]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page that is a number.

    Args:
        parts: the names of the series, where the table is split.
        hidden: how many groups are hidden.
        before: the totals of the same number of days just before; None when the days are not bounded.
        is_withheld: the whole is about too few people, so there is nothing but this fact.
    """

    rows: Sequence[Row]
    total: Summary
    part_totals: tuple[int, ...]
    parts: tuple[str, ...]
    hidden: int
    before: Summary | None
    since: date | None
    is_withheld: bool
    picture: Picture

    @property
    def in_parts(self) -> int:
        """The sum of all parts."""
        return sum(self.part_totals)


def make_report(
    filters: UsageFilters,
    *,
    group: Group,
    measure: Measure,
    split: Group | None = None,
    order: str = "",
    least: int = 0,
) -> Report:
    """The use that matches.

    Args:
        group: what the rows are.
        measure: what the picture counts, and the parts of a split table.
        split: what the columns of a picture over time are divided by.
        order: a column to sort by, "-" in front for falling; "" is by time, or the largest first.
        least: groups of fewer people are hidden; 0 shows all.
    """
    totals = tabulate(filters, by=group)
    hidden = _hidden(filters, group, totals, least)
    if _is_about_few(filters, least):
        nothing = Picture(title=_("Too few people to show"), labels=[], series=[], is_cut=False)
        return Report([], Summary(), (), (), 0, None, None, is_withheld=True, picture=nothing)
    keys, names = _series(filters, split, measure, least) if split and group in BY_TIME else ([], [])
    cells = _cells(filters, group, split, measure) if keys else {}

    def lines(some: Sequence[Summary]) -> list[Row]:
        labels = label_keys(group, some)
        return [
            Row(
                key=each.key[0],
                label=labels[each.key[0]],
                total=Summary(each.key) if each.key[0] in hidden else each,
                parts=tuple(sum(cells.get((each.key[0], key), 0) for key in series) for series in keys),
                is_hidden=each.key[0] in hidden,
            )
            for each in some
        ]

    rows = Rows(_sorted(totals, group, order, hidden), lines)
    before, since = _before(filters)
    return Report(
        rows=rows,
        total=totals.total(),
        part_totals=tuple(sum(row.parts[n] for row in rows) for n in range(len(keys))),
        parts=tuple(names),
        hidden=len(hidden),
        before=before,
        since=since,
        is_withheld=False,
        picture=_over_time(rows, filters, group, measure, names)
        if group in BY_TIME
        else _largest(totals.without(hidden), group, measure),
    )


# ---- inside ---------------------------------------------------------------------------------------------------------


def _is_about_few(filters: UsageFilters, least: int) -> bool:
    """Whether the filters name a group of people in which too few used anything. A named person is no group."""
    names_a_group = filters.department_id or filters.course_id or filters.role
    if not least or not names_a_group or filters.user_id:
        return False
    return 0 < count_people(filters) < least


def _hidden(filters: UsageFilters, group: Group, totals: Sequence[Summary], least: int) -> set[Any]:
    if not least or group not in OF_PEOPLE or filters.user_id:
        return set()
    sure = list_peopled(filters, by=group, least=least)
    doubtful = [each.key[0] for each in totals if each.key[0] not in sure]
    if not doubtful:
        return set()
    # At most one large group is hidden with the small ones: the smallest is sought among those with the fewest calls.
    large = sorted((each for each in totals if each.key[0] in sure), key=lambda each: each.calls)[:_SMALLEST]
    keys = [*doubtful, *(each.key[0] for each in large)]
    return groups_to_hide(list_people(filters, by=group, keys=keys), least=least)


def _series(filters: UsageFilters, split: Group, measure: Measure, least: int) -> tuple[list[list[Any]], list[str]]:
    """The values of `split` that get a color, the largest first, and one color for all the rest."""
    totals = summarize(filters, by=(split,))
    names = label_keys(split, totals)
    hidden = _hidden(filters, split, totals, least)
    ranked = [
        row.key[0]
        for row in sorted(totals, key=lambda row: -getattr(row, measure))
        if getattr(row, measure) and row.key[0] not in hidden
    ]
    fits = len(ranked) + bool(hidden) <= MOST_SERIES
    own = ranked if fits else ranked[: MOST_SERIES - 1]
    rest = [*ranked[len(own) :], *hidden]
    named = [[key] for key in own] + ([rest] if rest else [])
    return named, [*(names[key] for key in own), *([_("others (%(number)s)") % {"number": len(rest)}] if rest else [])]


def _cells(filters: UsageFilters, group: Group, split: Group | None, measure: Measure) -> dict[tuple[Any, Any], int]:
    return {row.key: getattr(row, measure) for row in summarize(filters, by=(group, split))} if split else {}


def _sorted(totals: Table, group: Group, order: str, hidden: Set[Any]) -> Table:
    order = order or ("-key" if group in BY_TIME else "-prompts")
    column, falls = order.removeprefix("-"), order.startswith("-")
    if column == "key":
        return totals.sorted_by_key(_rank(group, totals), falls=falls)
    # A hidden group stands last whichever way is sorted: its place would tell its number.
    return totals.without(hidden).sorted_by(column, falls=falls).followed_by(totals.only(hidden))


def _rank(group: Group, totals: Table) -> Callable[[Any], Any]:
    """What groups of this kind are sorted by when they are sorted by what they are."""
    if group in BY_TIME:
        return lambda key: key
    if group == "user":
        return rank_people().__getitem__
    labels = label_keys(group, totals)
    return lambda key: labels[key].casefold()


def _before(filters: UsageFilters) -> tuple[Summary | None, date | None]:
    if filters.first_day is None:
        return None, None
    last = filters.last_day or clock.local_day(clock.now())
    length = last - filters.first_day + _DAY
    if length <= timedelta(0):
        return None, None
    since = filters.first_day - length
    (total,) = summarize(replace(filters, first_day=since, last_day=filters.first_day - _DAY))
    return total, since


def _over_time(rows: Sequence[Row], filters: UsageFilters, group: Group, measure: Measure, names: list[str]) -> Picture:
    """A column for each day, week or month; the latest, where there are too many."""
    by_key = {row.key: row for row in rows}
    keys = _buckets(filters, group, by_key)
    shown = keys[-MOST_COLUMNS:]
    labels = [date_format(key, "YEAR_MONTH_FORMAT" if group == "month" else "SHORT_DAY_FORMAT") for key in shown]
    if names:
        series = [
            (name, [by_key[key].parts[n] if key in by_key else 0 for key in shown]) for n, name in enumerate(names)
        ]
    else:
        own = [getattr(by_key[key].total, measure) if key in by_key else 0 for key in shown]
        series = [(str(Measure(measure).label), own)]
    return Picture(_finding(labels, series), labels, series, is_cut=len(shown) < len(keys))


def _largest(totals: Table, group: Group, measure: Measure) -> Picture:
    """A column for each of the largest groups."""
    used = totals.used(measure)
    shown = used.largest(measure, 2 * MOST_SERIES)
    names = label_keys(group, shown)
    labels = [names[each.key[0]] for each in shown]
    series = [(str(measure.label), [getattr(each, measure) for each in shown])]
    return Picture(_finding(labels, series), labels, series, is_cut=len(shown) < len(used))


def _buckets(filters: UsageFilters, group: Group, known: Iterable[date]) -> list[date]:
    """Every day, week or month from the first with use, or asked for, to the last; those without use too."""
    known = sorted(known)
    if not known:
        return []
    first, last = min(filters.first_day or known[0], known[0]), max(filters.last_day or known[-1], known[-1])
    last = min(last, max(known[-1], clock.local_day(clock.now())))
    days = (first + n * _DAY for n in range((last - first).days + 1))
    match group:
        case "week":
            return list(dict.fromkeys(day - day.weekday() * _DAY for day in days))
        case "month":
            return list(dict.fromkeys(day.replace(day=1) for day in days))
        case _:
            return list(days)


def _finding(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> str:
    """The picture's title: where the most is."""
    totals = [sum(values) for values in zip(*(values for _name, values in series), strict=True)]
    if not any(totals):
        return _("Nothing to draw for these filters")
    most = max(totals)
    return _("Most: %(label)s, %(number)s") % {"label": labels[totals.index(most)], "number": f"{most:,}"}
