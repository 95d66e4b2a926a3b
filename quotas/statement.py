"""Reads of the statement: a person's month in the books, line by line like a bank's."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.types import Principal
from core import clock
from core.types import Operation, Via
from quotas.models import LedgerEntry
from quotas.selectors import list_entries, list_standings
from quotas.types import HOLDING_STATES, EntryKind, Kind, Period, Standing, Window
from quotas.windows import next_month


@dataclass(frozen=True, slots=True)
class Line:
    """One movement as people read it; `used`, `held` and `granted` are None where the column stays empty."""

    at: datetime
    what: str
    course: str
    via_api: bool
    reference: str
    used: int | None
    held: int | None
    granted: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One month under one quota: where the person stands, and how it came about, the newest line first."""

    month: date
    standing: Standing
    lines: list[Line]

    @property
    def is_present(self) -> bool:
        return self.month == clock.local_day(clock.now()).replace(day=1)

    @property
    def previous_month(self) -> date:
        return (self.month - timedelta(days=1)).replace(day=1)

    @property
    def next_month(self) -> date | None:
        return None if self.is_present else next_month(self.month)

    @property
    def used(self) -> int:
        return sum(line.used or 0 for line in self.lines)

    @property
    def held(self) -> int:
        return sum(line.held or 0 for line in self.lines)

    @property
    def days(self) -> list[tuple[date, list[Line]]]:
        by_day = groupby(self.lines, key=lambda line: clock.local_day(line.at))
        return [(day, list(lines)) for day, lines in by_day]


def read_statement(principal: Principal, *, month: date, kind: Kind | None = None) -> Statement:
    """A month of the person's books under the quota of this kind, or the one nearest to its end.

    A month holds the windows that began in it, so that a call admitted before midnight stays in its month (C20).
    """
    standings = list_standings(principal)
    standing = next((s for s in standings if (s.unit, s.period, s.scope) == kind), standings[0])
    span = Window(clock.start_of(month), clock.start_of(next_month(month)))
    entries = _entries_of(principal.user_id, standing, span)
    shown = entries.filter(~Q(kind=EntryKind.RESERVE) | Q(reservation__state__in=HOLDING_STATES))
    lines = [_line(entry) for entry in shown]
    if standing.period == Period.MONTH and standing.window != span:
        standing = _as_it_was(standing, span, entries.first())
    return Statement(month, standing, lines)


def _entries_of(user_id: int, standing: Standing, span: Window) -> QuerySet[LedgerEntry]:
    once = standing.period == Period.ONCE
    entries = list_entries(user_id, None if once else span).filter(
        allowance__unit=standing.unit, allowance__period=standing.period, allowance__scope=standing.scope
    )
    entries = entries.order_by("-at", "-id")
    return entries.filter(at__gte=span.starts_at, at__lt=span.ends_at) if once else entries


def _as_it_was(standing: Standing, span: Window, last: LedgerEntry | None) -> Standing:
    """The standing at the end of an earlier month, from its counters and the rule of its last movement."""
    if last is None:
        limit = None if standing.limit is None else standing.limit - standing.granted
        return replace(standing, window=span, limit=limit, used=0, held=0, granted=0)
    counters = last.allowance
    limit = None if last.limit_then is None else last.limit_then + counters.granted
    return replace(standing, window=span, limit=limit, used=counters.used, held=counters.held, granted=counters.granted)


def _line(entry: LedgerEntry) -> Line:
    call = entry.reservation
    on_its_way = entry.kind == EntryKind.RESERVE
    return Line(
        at=entry.at,
        what=_what(entry),
        course=call.course_code if call else "",
        via_api=call is not None and call.via == Via.API,
        reference=f"G-{entry.grant_id}" if call is None else call.pk.hex[-8:].upper(),
        used=entry.delta_used or None,
        held=entry.delta_held if on_its_way else None,
        granted=entry.delta_granted or None,
        left=entry.left_after,
    )


_CALLS = {
    EntryKind.RESERVE: _lazy("Answer on its way, %(model)s"),
    EntryKind.SETTLE: _lazy("%(tool)s, %(model)s"),
    EntryKind.RELEASE: _lazy("Not charged: no answer came from %(model)s"),
    EntryKind.EXPIRE: _lazy("Not charged: the answer of %(model)s was lost"),
    EntryKind.REVERSE: _lazy("Given back: the provider failed mid-answer"),
    EntryKind.ADJUSTMENT: _lazy("Adjusted to what %(model)s really used"),
}


def _what(entry: LedgerEntry) -> str:
    """What happened, in words."""
    if entry.grant is not None:
        words = {"name": str(entry.grant.granted_by or _("the university")), "reason": entry.grant.reason}
        return _("Grant by %(name)s: “%(reason)s”") % words
    call = entry.reservation
    if call is None:
        return entry.reason or str(EntryKind(entry.kind).label)
    what = str(_CALLS[EntryKind(entry.kind)]) % {"tool": Operation(call.operation).label, "model": call.model}
    key = call.key if entry.kind == EntryKind.SETTLE else None
    return _("%(what)s, by key “%(key)s”") % {"what": what, "key": key.name} if key else what
