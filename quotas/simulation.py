"""What the past would have looked like under other rules: a pure replay of calls through the resolution.

The replay knows what was asked and what it cost in the end, not what was held in between: limits in prompts come out
exactly, limits in tokens and money near their end a little more generous than they were.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core import clock
from core.types import Operation
from quotas.resolution import Asked, Demand, Facts, InForce, Rule, choose_rules, fill
from quotas.types import Kind, Purse, Unit, Window


@dataclass(frozen=True, slots=True)
class Past:
    """One call of the log.

    Args:
        amounts: what it used per unit, or would have used where it was refused.
        cost: in micro-units.
        was_refused: by a quota.
    """

    at: datetime
    facts: Facts
    operation: Operation
    model: str
    amounts: dict[Unit, int]
    cost: int
    was_refused: bool


@dataclass(frozen=True, slots=True)
class Given:
    """Units that somebody had beside the rules.

    Args:
        kind: of the window they added to; the period says nothing for those beside all windows.
        window_start: of that window; None: beside all windows, until `expires_at` if there is one.
        at: from when on.
    """

    user_id: int
    kind: Kind
    amount: int
    at: datetime
    window_start: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A call that was refused: whose, when, and by which rule."""

    user_id: int
    at: datetime
    rule: Rule


@dataclass(slots=True)
class Replay:
    """What the calls came to."""

    calls: int = 0
    used: Counter[Unit] = field(default_factory=Counter)
    cost: int = 0
    stops: list[Stop] = field(default_factory=list)

    @property
    def stopped_people(self) -> int:
        """How many people were refused at least once."""
        return len({stop.user_id for stop in self.stops})


def replay(
    calls: Iterable[Past], *, rules: Sequence[Rule], given: Sequence[Given] = (), terms: Sequence[Window] = ()
) -> Replay:
    """Play the calls, in order of time, against these rules.

    Args:
        given: grants and purchases; they count under any rules.
    """
    return _Player(rules, given, terms).play(calls)


class _Share(NamedTuple):
    """What meets a demand: a place in the rule's window and units beside it, and how much of each; None: no room."""

    demand: Demand
    place: tuple[int, Kind, datetime]
    extras: list[Given]
    parts: list[int] | None


class _Player:
    def __init__(self, rules: Sequence[Rule], given: Sequence[Given], terms: Sequence[Window]) -> None:
        self._rules, self._terms = rules, terms
        self._turns = {
            clock.local_day(turn) for rule in rules for turn in (rule.starts_at, rule.ends_at) if turn is not None
        }
        self._named = {rule.user_id for rule in rules}
        self._in_force: dict[Hashable, InForce] = {}
        self._used: Counter[tuple[int, Kind, datetime]] = Counter()
        self._inside: dict[tuple[int, Kind, datetime], list[Given]] = {}
        self._beside: dict[tuple[int, Unit, str], list[Given]] = {}
        self._left = {id(one): one.amount for one in given}
        for one in sorted(given, key=lambda one: (one.expires_at is None, one.expires_at or one.at)):
            if one.window_start is not None:
                self._inside.setdefault((one.user_id, one.kind, one.window_start), []).append(one)
            else:
                self._beside.setdefault((one.user_id, one.kind[0], one.kind[2]), []).append(one)

    def play(self, calls: Iterable[Past]) -> Replay:
        result = Replay()
        for call in calls:
            result.calls += 1
            rules = self._choose(call)
            counted = {unit: amount for unit, amount in call.amounts.items() if unit in rules.counted}
            shares = [self._share(demand, call) for demand in rules.ways(Asked(call.operation, call.model, counted))[0]]
            full = [share.demand for share in shares if share.parts is None]
            if full:
                last = max(full, key=lambda demand: (demand.window.ends_at is None, demand.window.ends_at or call.at))
                result.stops.append(Stop(call.facts.user_id, call.at, last.rule))
                continue
            for share in shares:
                self._spend(share)
            for unit, amount in call.amounts.items():
                result.used[unit] += amount
            result.cost += call.cost
        return result

    def _choose(self, call: Past) -> InForce:
        facts, day = call.facts, clock.local_day(call.at)
        who = facts.user_id if facts.user_id in self._named else None
        key = (who, facts.role, facts.department_id, frozenset(facts.course_ids), day)
        rules = self._in_force.get(key)
        if rules is None or day in self._turns:
            chosen = choose_rules(self._rules, facts=facts, at=call.at)
            rules = self._in_force[key] = InForce(chosen, at=call.at, terms=self._terms)
        return rules

    def _share(self, demand: Demand, call: Past) -> _Share:
        place = (call.facts.user_id, demand.rule.kind, demand.window.starts_at)
        extras = self._extras(demand, call)
        limit = demand.rule.limit
        room = None
        if limit is not None:
            granted = sum(one.amount for one in self._inside.get(place, ()) if one.at <= call.at)
            room = limit + granted - self._used[place]
        return _Share(demand, place, extras, fill(demand.amount, [room, *(self._left[id(one)] for one in extras)]))

    def _spend(self, share: _Share) -> None:
        first, *others = share.parts or (0,)
        self._used[share.place] += first
        for one, part in zip(share.extras, others, strict=True):
            self._left[id(one)] -= part

    def _extras(self, demand: Demand, call: Past) -> list[Given]:
        had = self._beside.get((call.facts.user_id, demand.rule.unit, demand.rule.scope))
        if not had or Purse.GRANT not in demand.purses:
            return []
        return [one for one in had if one.at <= call.at and (one.expires_at is None or call.at < one.expires_at)]
