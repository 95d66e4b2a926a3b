"""Many calls in one transaction: their rows are read and locked at once, moved in memory, and written back at once.

The arrows of a reservation's life live here and nowhere else; one call is a batch of one. However many calls there are,
a batch takes the same number of statements. Nothing is written before the batch closes, so a refusal costs nothing, and
an error takes the whole batch back: whoever fills batches tries its calls one by one then.

Rows that nobody has touched since the thread's last batch are not read again, where the database can say so (SQLite).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.types import Principal
from core import rows
from core.errors import RateLimited
from core.types import Operation, Via
from core.undisturbed import Undisturbed
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, LedgerEntry, Reservation
from quotas.resolution import Demand, Place, fill
from quotas.selectors import standing_of
from quotas.services import statements
from quotas.services.known_rows import NEVER, KnownRows, Line, Part, PurseRow
from quotas.services.statements import PeriodKey
from quotas.types import (
    HOLDING_STATES,
    OPEN_STATES,
    EntryKind,
    Reserved,
    Standing,
    State,
    Unit,
)

# A running call renews its lease three times in its length; one silent this long has no worker any more (C05).
LEASE = timedelta(seconds=settings.LEASE_SECONDS)
AUTOMATIC_REVERSALS_A_DAY = 5  # D3

# Where every call comes by, an enumeration's `_value_` is read: on Python 3.11 `value` is two functions and a lookup.
_HELD = State.HELD.value
_MOMENTS = ("dispatched_at", "settled_at", "ended_at")
_BEGINNING = ("call_id", "user", "key", "operation", "model", "course_code", "via", "created_at", "lease_until")
_RESERVATION = (*_BEGINNING, "is_estimated", "state", *_MOMENTS)
_MOVEMENT = ("allowance", "reservation", "quota", "limit_then", "kind", "delta_used", "delta_held", "delta_granted")
_ENTRY = (*_MOVEMENT, "used_after", "held_after", "granted_after", "reason", "at")

Amounts = Mapping[Unit, int]

# Purses that are there, as far as this process knows: none is ever deleted, so that most need not be made. Those that
# must be are made before any is locked, in everybody's same order.
_seen: set[PeriodKey] = set()
_MOST_SEEN = 200_000
_MOST_KNOWN = 20_000  # purses of which a thread keeps what is in them: some 10 MB


class Wish(NamedTuple):
    """A call that wants to be admitted.

    Args:
        ways: how it may be paid for, in this order; in each, every demand must be met.
        is_dispatched: whether it goes upstream as soon as the batch is written.
        most_open: how many calls its person may have running, this one included; None: no end.
    """

    call_id: UUID
    principal: Principal
    ways: Sequence[Sequence[Demand]]
    operation: Operation
    model: str
    course_code: str
    via: Via
    is_dispatched: bool = False
    most_open: int | None = None


class LedgerMoved(RuntimeError):
    """A row that this batch holds locked was changed by someone else: nothing is written."""


class _Share(NamedTuple):
    """What is to meet a demand: the purses in order, each with the limit its room is counted from, and its amount.

    The amounts are None when there is no room.
    """

    demand: Demand
    purses: list[tuple[PurseRow, int | None]]
    amounts: list[int] | None

    def standing(self) -> Standing:
        """Where the person stands under the demand's rule now."""
        if not self.purses:
            return standing_of(self.demand.rule, Allowance(), self.demand.window)
        (own, _limit), *beside = self.purses
        extra = sum(max(0, purse.room(0) or 0) for purse, _limit in beside)
        return standing_of(self.demand.rule, own, self.demand.window, extra=extra)


_known: Undisturbed[KnownRows] = Undisturbed()


@contextmanager
def open_batch(
    *, at: datetime, wishes: Collection[Wish] = (), calls: Collection[UUID] = (), reversing: Collection[UUID] = ()
) -> Iterator["Batch"]:
    """Inside, calls are reserved and moved in memory; leaving writes it all, in the transaction it joins.

    What the transaction writes beside it is better written inside: the rows are remembered only if they come last.

    Args:
        at: the instant of everything that happens in it.
        wishes: those that may be reserved.
        calls: those that may be moved.
        reversing: those of them that may be reversed.
    """
    with transaction.atomic(savepoint=False):
        batch = Batch(at)
        if wishes or calls:
            batch._read(wishes, calls, reversing)
        yield batch
        if batch._advanced:
            batch._write()
        batch._keep()


class Batch:
    """The rows a batch of calls touches. Each method is one arrow; a second attempt finds another state: False."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._rows = _known.take() or KnownRows()
        self._lines = self._rows.lines
        self._moved: dict[int, PurseRow] = {}
        self._advanced: list[Line] = []
        self._reversed: dict[int, int] = {}
        self._entries: list[tuple[Any, ...]] = []

    def reserve(self, wish: Wish) -> Reserved:
        """Hold what the call needs under every quota that covers it, or nothing at all (D12).

        Raises:
            QuotaExhausted: no way of paying has room.
            RateLimited: the person has too many calls running.
        """
        full: list[Standing] = []
        for way in wish.ways:
            shares = [self._share(demand, wish.principal.user_id) for demand in way]
            full = [share.standing() for share in shares if share.amounts is None]
            if not full:
                self._check_parallel(wish)
                self._hold(wish, shares)
                standings = [share.standing() for share in shares]
                if len(standings) > 1:
                    standings.sort(key=lambda standing: standing.nearness)
                return Reserved(wish.call_id, tuple(standings))
        # The one that will have room last: only then may the person go on.
        raise QuotaExhausted(max(full, key=lambda standing: standing.window.ends_at or NEVER))

    def dispatch(self, call_id: UUID) -> bool:
        """The call is about to go upstream: held → dispatched."""
        return self._advance(call_id, (State.HELD,), State.DISPATCHED, "dispatched_at") is not None

    def settle(self, call_id: UUID, amounts: Amounts | None = None) -> bool:
        """What was held is used: dispatched → settled. What `amounts` leaves out settles at what was held."""
        line = self._advance(call_id, (State.DISPATCHED,), State.SETTLED, "settled_at")
        if line is None:
            return False
        for unit, parts in _by_rule(line):
            held = [part.held for part in parts]
            actual = _spread((amounts or {}).get(unit, sum(held)), held)
            self._move(line, EntryKind.SETTLE, parts, used=actual, held=[-amount for amount in held])
        return True

    def close(self, call_id: UUID, amounts: Amounts | None = None, *, is_estimated: bool = False) -> bool:
        """The reply ended: settled → closed; a difference to what was used so far is an adjustment (D13).

        Args:
            is_estimated: the amounts are not the provider's.
        """
        line = self._advance(call_id, (State.SETTLED,), State.CLOSED, "ended_at")
        if line is None:
            return False
        if is_estimated:
            line.changes["is_estimated"] = True
        for unit, parts in _by_rule(line) if amounts else ():
            used = [part.used for part in parts]
            actual = _spread((amounts or {}).get(unit, sum(used)), used)
            changes = [after - before for after, before in zip(actual, used, strict=True)]
            self._move(line, EntryKind.ADJUSTMENT, parts, used=changes)
        return True

    def release(self, call_id: UUID, kind: EntryKind = EntryKind.RELEASE) -> bool:
        """Nothing came of the call: held or dispatched → released."""
        line = self._advance(call_id, HOLDING_STATES, State.RELEASED, "ended_at")
        if line is None:
            return False
        self._move(line, kind, line.parts, held=[-part.held for part in line.parts])
        return True

    def reverse(self, call_id: UUID) -> bool:
        """The provider failed after the first content: settled → reversed, what was used comes back (D3).

        Beyond the automatic reversals of the person's day it is closed as used instead, and a person decides.
        """
        line = self._lines.get(call_id)
        if line is None or line.state != State.SETTLED:
            return False
        if self._reversed.get(line.user_id, 0) >= AUTOMATIC_REVERSALS_A_DAY:
            self.close(call_id)
            return False
        self._reversed[line.user_id] = self._reversed.get(line.user_id, 0) + 1
        self._advance(call_id, (State.SETTLED,), State.REVERSED, "ended_at")
        self._move(line, EntryKind.REVERSE, line.parts, used=[-part.used for part in line.parts])
        return True

    def expire(self, call_id: UUID) -> bool:
        """The lease ran out: given back when nothing had come (D5), closed when content had."""
        line = self._lines.get(call_id)
        if line is None or line.lease_until > self.at:
            return False
        return self.release(call_id, EntryKind.EXPIRE) or self.close(call_id)

    def used(self, call_id: UUID, unit: Unit) -> int:
        """What the call has used of a unit, under the rule that counts most of it."""
        line = self._lines.get(call_id)
        return (
            max((sum(part.used for part in parts) for u, parts in _by_rule(line) if u == unit), default=0)
            if line
            else 0
        )

    # ---- one movement ------------------------------------------------------------------------------------------------

    def _purses_of(self, demand: Demand, user_id: int) -> list[tuple[PurseRow, int | None]]:
        """What may meet a demand, in order, each with the limit that its room is counted from."""
        rule = demand.rule
        if demand.pool_course_id is not None:
            pool = self._rows.pools.get((demand.pool_course_id, rule.unit))
            return [(pool, 0)] if pool else []
        found: list[tuple[PurseRow, int | None]] = [(self._rows.by_place[user_id, demand.place], rule.limit)]
        if len(demand.purses) > 1:
            extras = self._rows.extras.get((user_id, rule.unit, rule.scope), ())
            found += [(purse, 0) for purse in extras if purse.expires_at is None or purse.expires_at > self.at]
        return found

    def _share(self, demand: Demand, user_id: int) -> _Share:
        """How much of the demand each purse can meet."""
        purses = self._purses_of(demand, user_id)
        return _Share(demand, purses, fill(demand.amount, [purse.room(limit) for purse, limit in purses]))

    def _check_parallel(self, wish: Wish) -> None:
        """Exact (AB4): whoever admits a call of the same person has to wait for the purses this batch holds."""
        if wish.most_open is not None and self._rows.open[wish.principal.user_id] >= wish.most_open:
            raise RateLimited(
                _("You have %(count)d calls running. Wait until one has ended. Nothing was charged.")
                % {"count": wish.most_open},
                retry_after=2,
            )

    def _hold(self, wish: Wish, shares: Sequence[_Share]) -> None:
        person, call_id, lease_until = wish.principal, wish.call_id, self.at + LEASE
        if call_id in self._lines:
            raise IntegrityError(f"The call {call_id} is there already.")
        line = Line(call_id, person.user_id, _HELD, lease_until, None, [], {})
        words = (wish.operation._value_, wish.model, wish.course_code, wish.via._value_)
        line.beginning = (call_id, person.user_id, person.key_id, *words, self.at, lease_until, False)
        self._rows.note_begun(line)
        self._advanced.append(line)
        for demand, purses, amounts in shares:
            for (purse, limit), amount in zip(purses, amounts or (), strict=True):
                if amount:
                    line.parts.append(part := Part(purse, demand.rule.id, limit))
                    self._move(line, EntryKind.RESERVE, [part], held=[amount])
        if wish.is_dispatched:
            self.dispatch(call_id)

    def _advance(self, call_id: UUID, expected: Collection[State], state: State, moment: str) -> Line | None:
        """One arrow: the line if the call was in an `expected` state, and is now in `state`."""
        line = self._lines.get(call_id)
        if line is None or line.state not in expected:
            return None
        if line.before is not None and not line.changes:
            self._advanced.append(line)
        line.state = state._value_
        line.changes[moment] = self.at
        if state not in OPEN_STATES:
            self._rows.note_ended(line, self.at)
        return line

    def _move(
        self,
        line: Line,
        kind: EntryKind,
        parts: Sequence[Part],
        *,
        used: Sequence[int] = (),
        held: Sequence[int] = (),
    ) -> None:
        """Change what a call has in its purses, with one entry for each that changes."""
        for place, part in enumerate(parts):
            more_used, more_held = used[place] if used else 0, held[place] if held else 0
            if not more_used and not more_held:
                continue
            purse = self._moved[part.purse.id] = part.purse
            part.used, part.held = part.used + more_used, part.held + more_held
            purse.used, purse.held = purse.used + more_used, purse.held + more_held
            # The rule of the admission goes with the call to its end.
            entry = (purse.id, line.call_id, part.quota_id, part.limit_then, kind._value_, more_used, more_held, 0)
            self._entries.append((*entry, purse.used, purse.held, purse.granted, "", self.at))

    # ---- all rows at once --------------------------------------------------------------------------------------------

    def _read(self, wishes: Collection[Wish], calls: Collection[UUID], reversing: Collection[UUID]) -> None:
        known = self._rows
        places: set[tuple[int, Place]] = set()
        owners: set[int] = set()
        course_ids: set[int] = set()
        for wish in wishes:
            user_id = wish.principal.user_id
            for demand in chain.from_iterable(wish.ways):
                if demand.pool_course_id is not None:
                    course_ids.add(demand.pool_course_id)
                    continue
                places.add((user_id, demand.place))
                if len(demand.purses) > 1:
                    owners.add(user_id)
        keys = {(user_id, *place) for user_id, place in places if (user_id, place) not in known.by_place}
        owners -= known.owners
        course_ids -= known.courses
        unknown = [call_id for call_id in calls if call_id not in known.lines]
        limited = {wish.principal.user_id for wish in wishes if wish.most_open is not None}
        uncounted = {user_id for user_id in limited if not known.is_counted(user_id, self.at)}
        unseen = keys - _seen
        _switched, _people, lines, _made, purses, movements, running, given_back = rows.run(
            statements.use_indexes(),
            statements.lock_people_of(reversing),
            statements.lock_reservations(unknown),
            statements.make_purses(unseen),
            statements.lock_purses(keys, owners=owners, course_ids=course_ids, call_ids=unknown),
            statements.list_movements(unknown),
            statements.count_open(uncounted, at=self.at),
            statements.count_reversed(reversing, at=self.at),
        )
        for call_id, user_id, state, lease_until in lines:
            known.lines[call_id] = Line(call_id, user_id, state, lease_until, state, [], {})
        for row in purses:
            known.add(PurseRow(*row))
        self._make({key for key in keys if (key[0], key[1:]) not in known.by_place})
        if len(_seen) > _MOST_SEEN:
            _seen.clear()
        _seen.update(unseen)
        known.owners |= owners
        known.courses |= course_ids
        for call_id, purse_id, *movement in movements:
            known.lines[call_id].parts.append(Part(known.purses[purse_id], *movement))
        for user_id, count, first_end in running:
            known.note_count(user_id, count, first_end)
        self._reversed = dict(given_back)

    def _make(self, keys: Collection[PeriodKey]) -> None:
        """Purses that were seen, and then taken back with their transaction."""
        if keys:
            _made, purses = rows.run(statements.make_purses(keys), statements.lock_purses(keys))
            for row in purses:
                self._rows.add(PurseRow(*row))

    def _write(self) -> None:
        """Every row only if it is still what it was when it was locked; the entries prove what became of it."""
        moved = [
            (purse.id, *purse.before, purse.used, purse.held)
            for purse in self._moved.values()
            if purse.before != (purse.used, purse.held)
        ]
        begun: list[tuple[Any, ...]] = []
        advanced: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}  # by the names of what changes
        for line in self._advanced:
            if line.before is None:
                begun.append((*line.beginning, line.state, *map(line.changes.get, _MOMENTS)))
            else:
                row = (line.call_id, line.before, line.state, *line.changes.values())
                advanced.setdefault(tuple(line.changes), []).append(row)
        counters = ("used", "held")
        changes = [rows.update(Allowance, moved, key="id", expected=counters, changed=counters)]
        for names, alike in advanced.items():
            changes.append(
                rows.update(Reservation, alike, key="call_id", expected=("state",), changed=("state", *names))
            )
        written = rows.run(
            *changes,
            rows.insertion(Reservation, _RESERVATION, begun),
            rows.insertion(LedgerEntry, _ENTRY, self._entries),
        )
        expected = [len(moved), *map(len, advanced.values())]
        if [count or 0 for count in written[: len(expected)]] != expected:
            raise LedgerMoved("A row has changed under the lock.")

    def _keep(self) -> None:
        """What was written is what the next batch finds."""
        for purse in self._moved.values():
            purse.before = (purse.used, purse.held)
        for line in self._advanced:
            if line.state in OPEN_STATES:
                line.before, line.changes = line.state, {}
            else:
                del self._lines[line.call_id]
        if len(self._rows.purses) <= _MOST_KNOWN:
            _known.keep(self._rows)


def _by_rule(line: Line) -> list[tuple[Unit, list[Part]]]:
    """The parts that meet one demand together, by demand."""
    if len(line.parts) == 1:
        return [(line.parts[0].purse.unit, line.parts)]  # as most have
    demands: dict[tuple[Unit, int | None], list[Part]] = {}
    for part in line.parts:
        demands.setdefault((part.purse.unit, part.quota_id), []).append(part)
    return [(unit, parts) for (unit, _quota_id), parts in demands.items()]


def _spread(amount: int, parts: Sequence[int]) -> list[int]:
    """`amount` over the purses in their order, each up to its part; what goes beyond them all is the first one's."""
    spread = []
    rest = max(0, amount)
    for part in parts:
        spread.append(min(rest, part))
        rest -= spread[-1]
    if spread:
        spread[0] += rest
    return spread
