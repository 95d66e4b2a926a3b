"""The ledger's rows as a batch moves them in memory, and what a thread knows of them from one batch to the next."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from quotas.resolution import Place
from quotas.types import Period, Purse, Unit

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, eq=False)
class PurseRow:
    """A row of Allowance, and how it was before this batch."""

    id: int
    user_id: int | None
    course_id: int | None
    purse: Purse
    unit: Unit
    period: Period
    scope: str
    window_start: datetime
    expires_at: datetime | None
    granted: int
    used: int
    held: int
    before: tuple[int, int] = (0, 0)

    def room(self, limit: int | None) -> int | None:
        """What is left for new calls; `limit` is the rule's for a period's purse, 0 for the others."""
        return None if limit is None else limit + self.granted - self.used - self.held


@dataclass(slots=True, eq=False)
class Part:
    """What one call has in one purse, under one rule."""

    purse: PurseRow
    quota_id: int | None
    limit_then: int | None
    used: int = 0
    held: int = 0


@dataclass(slots=True, eq=False)
class Line:
    """A row of Reservation as it moves; `before` is None for a new one."""

    call_id: UUID
    user_id: int
    state: str
    lease_until: datetime
    before: str | None
    parts: list[Part]
    changes: dict[str, Any]
    beginning: tuple[Any, ...] = ()


class KnownRows:
    """Rows of the ledger by all that they are looked for by: to be believed while nobody else has written."""

    def __init__(self) -> None:
        self.lines: dict[UUID, Line] = {}  # of calls that run
        self.purses: dict[int, PurseRow] = {}
        self.by_place: dict[tuple[int, Place], PurseRow] = {}
        self.extras: dict[tuple[int, Unit, str], list[PurseRow]] = {}
        self.pools: dict[tuple[int, Unit], PurseRow] = {}
        self.owners: set[int] = set()  # whose extra purses are all here
        self.courses: set[int] = set()  # whose pools are
        self.open: dict[int, int] = {}  # how many calls of a person are running
        self._open_until: dict[int, datetime] = {}  # when that is to be counted anew: a lease of theirs ends

    def add(self, purse: PurseRow) -> None:
        """A purse that was read; one that is here is as it was read before, or moved since."""
        if purse.id in self.purses:
            return
        purse.before = (purse.used, purse.held)
        self.purses[purse.id] = purse
        if purse.course_id is not None:
            self.pools[purse.course_id, purse.unit] = purse
        elif purse.user_id is not None and purse.purse == Purse.PERIOD:
            place = (purse.unit, purse.period, purse.scope, purse.window_start)
            self.by_place[purse.user_id, place] = purse
        elif purse.user_id is not None:
            extras = self.extras.setdefault((purse.user_id, purse.unit, purse.scope), [])
            extras.append(purse)
            # Grants by expiry, then what was purchased.
            extras.sort(key=lambda extra: extra.expires_at or NEVER)

    def is_counted(self, user_id: int, at: datetime) -> bool:
        """Whether `open` says how many calls of the person are running at this instant."""
        return self._open_until.get(user_id, at) > at

    def note_count(self, user_id: int, count: int, first_end: datetime | None) -> None:
        """So many calls of the person are running; the first lease of theirs ends then."""
        self.open[user_id], self._open_until[user_id] = count, first_end or NEVER

    def note_begun(self, line: Line) -> None:
        """A call was held."""
        self.lines[line.call_id] = line
        if line.user_id in self.open:
            self.open[line.user_id] += 1
            self._open_until[line.user_id] = min(line.lease_until, self._open_until[line.user_id])

    def note_ended(self, line: Line, at: datetime) -> None:
        """A call came to its end; one whose lease had run out was not counted any more."""
        if line.user_id in self.open and line.lease_until > at:
            self.open[line.user_id] -= 1
