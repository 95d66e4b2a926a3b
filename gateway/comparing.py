"""Our records beside a provider's bill, by day of UTC and model: what agrees, and what open calls may explain (C37).

Pure functions. An answered call is one request, and used what its provider reported: so much must be billed. A call
that was stopped, lost or failed is open: it may be billed, as one request, or not. What it consumed is bounded by what
its model can take, and without a bound in the catalog by nothing; so it is for one without a report of its tokens.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from gateway.bill import Bill
from usage.types import CallsOfDay, Outcome, UsageSource

_OPEN = {Outcome.LOST: "lost", Outcome.CLIENT_LEFT: "stopped", Outcome.UPSTREAM_FAILED: "failed"}
_TOKENS = ("input_tokens", "output_tokens")


class Verdict(TextChoices):
    """How a bill and our records compare; what must be looked at stands first."""

    UNKNOWN = "unknown", _("not configured here")
    DIFFERS = "differs", _("differs")
    EXPLAINED = "explained", _("explained by open calls")
    AGREES = "agrees", _("agrees")


class Named(NamedTuple):
    """A model of the catalog, and the names that a provider has for it.

    Args:
        most_input: tokens that one call may take; None where nobody said.
        most_output: tokens that one answer may have; None where nobody said.
    """

    model: str
    names: frozenset[str]
    most_input: int | None = None
    most_output: int | None = None


class Figure(NamedTuple):
    """One measure, by the bill and by us.

    Args:
        least: what must be on the bill.
        most: what may be on it; None without a bound.
    """

    billed: int
    ours: int
    least: int = 0
    most: int | None = None

    @property
    def difference(self) -> int:
        """How much more is billed than we recorded."""
        return self.billed - self.ours

    @property
    def is_explained(self) -> bool:
        """Whether open calls may be all of the difference."""
        return self.least <= self.billed and (self.most is None or self.billed <= self.most)


@dataclass(frozen=True, slots=True)
class Row:
    """A day and a model.

    Args:
        models: ours; several where they share a name at the provider. None where the bill has what nobody configured.
        names: the provider's, as the bill has them.
        figures: by measure of the bill.
        open: how many of our calls are "lost", "stopped" or "failed", or have "estimated" tokens.
    """

    day: date
    models: tuple[str, ...]
    names: tuple[str, ...]
    figures: Mapping[str, Figure]
    open: Mapping[str, int]
    verdict: Verdict

    @property
    def must_be_looked_at(self) -> bool:
        """Whether open calls do not explain it."""
        return self.verdict in (Verdict.UNKNOWN, Verdict.DIFFERS)


@dataclass(slots=True)
class _Group:
    """Models of ours and names of the provider that can only be compared together."""

    models: set[str]
    names: set[str]
    bounds: Mapping[str, int | None] = field(default_factory=dict)  # of one call, by measure


@dataclass(slots=True)
class _Day:
    """A group's day: what is billed, what we counted, what of it must be billed, how many calls may add to that."""

    names: set[str] = field(default_factory=set)
    billed: Counter[str] = field(default_factory=Counter)
    ours: Counter[str] = field(default_factory=Counter)
    certain: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)


def compare(bill: Bill, catalog: Sequence[Named], calls: Sequence[CallsOfDay]) -> list[Row]:
    """What a provider bills beside what we recorded; what must be looked at stands first.

    Args:
        catalog: the models that have places at the provider.
        calls: those of the bill's days that went there, and the lost ones that may have.
    """
    # A model that left the catalog is known by its own name; where a lost call to it had gone, nobody knows.
    gone = {call.model for call in calls if call.provider}.difference(named.model for named in catalog)
    groups = _group([*catalog, *(Named(model, frozenset((model,))) for model in gone)])
    by_model = {model: place for place, group in enumerate(groups) for model in group.models}
    by_name = {name: place for place, group in enumerate(groups) for name in group.names}
    unknown: dict[str, int] = {}
    days: defaultdict[tuple[date, int], _Day] = defaultdict(_Day)
    for (day, name), used in bill.used.items():
        place = _find_place(name, by_name)
        if place is None:
            place = unknown.setdefault(name, len(groups))
            groups += [_Group(set(), {name})] if place == len(groups) else []
        days[day, place].billed.update(used)
        days[day, place].names.add(name)
    billed = {place for _day, place in days}
    for call in calls:
        place = by_model.get(call.model)
        if place is not None and (place in billed or call.operation in bill.operations):
            _add(days[call.day, place], call)
    rows = [_row(bill, day, groups[place], found) for (day, place), found in days.items()]
    order = list(Verdict)
    return sorted(rows, key=lambda row: (order.index(row.verdict), row.day, row.models, row.names))


def total(rows: Iterable[Row], measure: str) -> Figure:
    """The sum of all days and models."""
    figures = [row.figures[measure] for row in rows]
    return Figure(sum(figure.billed for figure in figures), sum(figure.ours for figure in figures))


def _group(catalog: Iterable[Named]) -> list[_Group]:
    groups: list[_Group] = []
    for named in catalog:
        joined = _Group({named.model}, {*named.names}, dict(zip(_TOKENS, named[2:], strict=True)) | {"requests": 1})
        apart = []
        for group in groups:
            if group.names & named.names:
                joined = _join(joined, group)
            else:
                apart.append(group)
        groups = [*apart, joined]
    return groups


def _join(one: _Group, other: _Group) -> _Group:
    bounds = {name: _larger(one.bounds[name], other.bounds[name]) for name in one.bounds}
    return _Group(one.models | other.models, one.names | other.names, bounds)


def _larger(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _find_place(name: str, by_name: Mapping[str, int]) -> int | None:
    """Where the name stands, or the longest of which it is a snapshot: gpt-4o-2024-08-06 is one of gpt-4o.

    A snapshot goes on with a digit: gpt-4o-mini is another model.
    """
    if name in by_name:
        return by_name[name]
    cuts = (at for at in range(len(name) - 2, 0, -1) if name[at] in "-@" and name[at + 1] in "0123456789")
    return next((by_name[name[:at]] for at in cuts if name[:at] in by_name), None)


def _add(day: _Day, call: CallsOfDay) -> None:
    is_served = call.outcome == Outcome.SERVED
    is_answered = is_served or call.outcome == Outcome.CLIENT_LEFT
    is_reported = is_answered and call.usage_source == UsageSource.REPORTED
    for measure, count in (("requests", call.calls), ("images", call.images)):
        day.ours[measure] += count if is_answered else 0
        day.certain[measure] += count if is_served else 0
        day.doubtful[measure] += 0 if is_served else call.calls
    for measure in _TOKENS:
        day.ours[measure] += getattr(call, measure) if is_answered else 0
        day.certain[measure] += getattr(call, measure) if is_reported else 0
        day.doubtful[measure] += 0 if is_reported else call.calls
    if not (is_served and is_reported):
        day.open[_OPEN.get(Outcome(call.outcome), "estimated")] += call.calls


def _row(bill: Bill, day: date, group: _Group, found: _Day) -> Row:
    figures = {}
    for measure in bill.measures:
        least, doubtful, bound = found.certain[measure], found.doubtful[measure], group.bounds.get(measure)
        most = None if doubtful and bound is None else least + doubtful * (bound or 0)
        figures[measure] = Figure(found.billed[measure], found.ours[measure], least, most)
    return Row(
        day=day,
        models=tuple(sorted(group.models)),
        names=tuple(sorted(found.names)),
        figures=figures,
        open={kind: count for kind, count in found.open.items() if kind != "estimated" or "input_tokens" in figures},
        verdict=_judge(group, figures.values()),
    )


def _judge(group: _Group, figures: Iterable[Figure]) -> Verdict:
    figures = [*figures]
    if not group.models:
        return Verdict.UNKNOWN
    if all(figure.difference == 0 for figure in figures):
        return Verdict.AGREES
    return Verdict.EXPLAINED if all(figure.is_explained for figure in figures) else Verdict.DIFFERS
