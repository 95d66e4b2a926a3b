"""Reads of the statement: a person's month in the books, line by line like a bank's."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.types import Principal
from core import clock
from core.types import Operation, Via
from quotas.models import LedgerEntry
from quotas.selectors import list_entries, list_standings
from quotas.types import HOLDING_STATES, EntryKind, Kind, Period, Purse, Standing, Window
from quotas.wording import name_rule


@dataclass(frozen=True, slots=True)
class Line:
    """One movement as people read it; `used`, `held` and `granted` are None where the column stays empty.

    Args:
        kind: the movement in a word.
        tool, model: of the call; "" where there is none.
        rule: the rule in force then, in words; "" beside the rules.
        purse: which purse moved, in a word; `left` is what that purse had left just after it.
        is_estimated: the provider reported no figure.
    """

    at: datetime
    kind: str
    what: str
    tool: str
    model: str
    course: str
    via_api: bool
    reference: str
    rule: str
    purse: str
    used: int | None
    held: int | None
    granted: int | None
    left: int | None
    is_beside: bool = False
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One month under one quota: where the person stands, and how it came about, the newest line first."""

    month: date
    standing: Standing
    lines: list[Line]

    @property
    def span(self) -> Window:
        return Window(clock.start_of(self.month), clock.start_of(clock.next_month(self.month)))

    @property
    def is_present(self) -> bool:
        return self.month == clock.local_day(clock.now()).replace(day=1)

    @property
    def previous_month(self) -> date:
        return (self.month - timedelta(days=1)).replace(day=1)

    @property
    def next_month(self) -> date | None:
        return None if self.is_present else clock.next_month(self.month)

    @property
    def used(self) -> int:
        return sum(line.used or 0 for line in self.lines)

    @property
    def held(self) -> int:
        return sum(line.held or 0 for line in self.lines)

    @property
    def is_of_several(self) -> bool:
        """Whether more than one purse moved: then each line says which, for what is left is that purse's."""
        return any(line.is_beside for line in self.lines)

    @property
    def days(self) -> list[tuple[date, list[str], list[Line]]]:
        """Each day with the rules it was counted under and its lines, the last day first."""
        by_day = [(day, list(lines)) for day, lines in groupby(self.lines, lambda line: clock.local_day(line.at))]
        return [(day, list(dict.fromkeys(line.rule for line in lines if line.rule)), lines) for day, lines in by_day]


def read_statement(principal: Principal, *, month: date, kind: Kind | None = None) -> Statement:
    """A month of the person's books under the quota of this kind, or the one nearest to its end.

    A month holds the windows that began in it, so that a call admitted before midnight stays in its month (C20).
    """
    standings = list_standings(principal)
    standing = next((s for s in standings if (s.unit, s.period, s.scope) == kind), standings[0])
    span = Window(clock.start_of(month), clock.start_of(clock.next_month(month)))
    entries = _entries_of(principal.user_id, standing, span)
    moved = ~Q(delta_used=0) | ~Q(delta_granted=0) | Q(kind__in=(EntryKind.RELEASE, EntryKind.EXPIRE))
    shown = entries.filter(moved | Q(kind=EntryKind.RESERVE, reservation__state__in=HOLDING_STATES))
    lines = [_line(entry) for entry in shown]
    if standing.period == Period.MONTH and standing.window != span:
        standing = _as_it_was(standing, span, entries.first())
    return Statement(month, standing, lines)


def _entries_of(user_id: int, standing: Standing, span: Window) -> QuerySet[LedgerEntry]:
    """The movements of the quota's windows that began in the month, and of the purses beside it in the month."""
    in_month = Q(at__gte=span.starts_at, at__lt=span.ends_at)
    own = Q(allowance__purse=Purse.PERIOD, allowance__period=standing.period)
    if standing.period in (Period.ONCE, Period.TERM):
        own &= in_month
    else:
        own &= Q(allowance__window_start__gte=span.starts_at, allowance__window_start__lt=span.ends_at)
    beside = Q(allowance__purse__in=(Purse.GRANT, Purse.PURCHASED)) & in_month
    entries = list_entries(user_id).filter(own | beside, allowance__unit=standing.unit, allowance__scope=standing.scope)
    return entries.order_by("-at", "-id")


def _as_it_was(standing: Standing, span: Window, last: LedgerEntry | None) -> Standing:
    """The standing at the end of an earlier month, from its counters and the rule of its last movement."""
    if last is None:
        limit = None if standing.limit is None else standing.limit - standing.granted
        return standing._replace(window=span, limit=limit, used=0, held=0, granted=0)
    counters = last.allowance
    limit = None if last.limit_then is None else last.limit_then + counters.granted
    return standing._replace(window=span, limit=limit, used=counters.used, held=counters.held, granted=counters.granted)


def _line(entry: LedgerEntry) -> Line:
    call = entry.reservation
    purse = Purse(entry.allowance.purse)
    on_its_way = entry.kind == EntryKind.RESERVE
    return Line(
        at=entry.at,
        kind=str(EntryKind(entry.kind).label),
        what=_what(entry),
        tool=str(Operation(call.operation).label) if call else "",
        model=call.model if call else "",
        course=call.course_code if call else "",
        via_api=call is not None and call.via == Via.API,
        reference=_reference(entry),
        rule=name_rule(entry.allowance.kind, entry.limit_then) if purse == Purse.PERIOD else "",
        purse=str(purse.label),
        used=entry.delta_used or None,
        held=entry.delta_held if on_its_way else None,
        granted=entry.delta_granted or None,
        left=entry.left_after,
        is_beside=purse != Purse.PERIOD,
        is_estimated=call is not None and call.is_estimated,
    )


def _reference(entry: LedgerEntry) -> str:
    if entry.reservation is not None:
        return entry.reservation.pk.hex[-8:].upper()
    return f"G-{entry.grant_id}" if entry.grant_id else f"E-{entry.pk}"


_CALLS = {
    EntryKind.RESERVE: gettext_lazy("Answer on its way, %(model)s"),
    EntryKind.SETTLE: gettext_lazy("%(tool)s, %(model)s"),
    EntryKind.RELEASE: gettext_lazy("Not charged: no answer came from %(model)s"),
    EntryKind.EXPIRE: gettext_lazy("Not charged: the answer of %(model)s was lost"),
    EntryKind.REVERSE: gettext_lazy("Given back: the provider failed mid-answer"),
    EntryKind.ADJUSTMENT: gettext_lazy("Adjusted to what %(model)s really used"),
}


def _what(entry: LedgerEntry) -> str:
    """What happened, in words."""
    if entry.kind == EntryKind.LAPSE:
        return _("Lapsed: what was left of a grant on its last day")
    if entry.grant is not None:
        words = {"name": str(entry.grant.granted_by or _("the university")), "reason": entry.grant.reason}
        return _("Grant by %(name)s: “%(reason)s”") % words
    call = entry.reservation
    if call is None:
        return entry.reason or str(EntryKind(entry.kind).label)
    what = str(_CALLS[EntryKind(entry.kind)]) % {"tool": Operation(call.operation).label, "model": call.model}
    key = call.key if entry.kind == EntryKind.SETTLE else None
    return _("%(what)s, by key “%(key)s”") % {"what": what, "key": key.name} if key else what
