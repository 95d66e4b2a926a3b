"""Which limits a call meets, and what may meet them: pure functions of rules, facts, the call and the clock (D11, D12).

Nothing here reads the database, so that the same answer comes from rows just read, from a snapshot in memory and from
last month's log replayed by the simulator.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from accounts.types import Role
from core.types import Operation
from quotas.errors import Unmeasured
from quotas.types import (
    LEDGER_UNITS,
    MODEL_SCOPE,
    PACE_PERIODS,
    POOL_SCOPE,
    Kind,
    Period,
    Purse,
    Subject,
    Unit,
    WhenEmpty,
    Window,
)
from quotas.windows import window_of
from quotas.wording import name_rule

# Units beside the periods' go to the longest of the person's limits of their unit and scope: a limit for a shorter time
# is there for the pace, and what was bought for a term is not meant to be spent in a day.
_LENGTHS = (Period.DAY, Period.WEEK, Period.MONTH, Period.TERM, Period.ONCE)
_PERSONAL = (Purse.PERIOD, Purse.GRANT, Purse.PURCHASED)
_MOST_WAYS = 32


# Where one person's use of one rule is counted: unit, period, scope, beginning of the window.
Place = tuple[Unit, Period, str, datetime]


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may ask about a person.

    Args:
        course_ids: the courses the person is enrolled in, in any role.
    """

    user_id: int
    role: Role
    department_id: int | None = None
    course_ids: Collection[int] = ()


class Asked(NamedTuple):
    """What rules may ask about a call.

    Args:
        amounts: an upper bound of what it will use, per unit; a unit that is left out or 0 is not counted. None: nobody
            can say, as for money where the model has no price.
        course_id: the course it is tagged with, if any.
    """

    operation: Operation
    model: str
    amounts: Mapping[Unit, int | None]
    course_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of Quota as a plain value. `id` is None for the product's own rule and for a pool."""

    unit: Unit
    period: Period
    limit: int | None
    scope: str = ""
    role: str = ""
    department_id: int | None = None
    course_id: int | None = None
    user_id: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    id: int | None = None

    @property
    def kind(self) -> Kind:
        """What the rule counts; rules of the same kind compete, and an allowance counts one kind."""
        return self.unit, self.period, self.scope

    @property
    def name(self) -> str:
        """The rule in words, such as “20 prompts per month”, in the reader's language."""
        return name_rule(self.kind, self.limit)

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """Sorts rules as D12 says: person, then course, then department, then role, then everyone."""
        return self.user_id is not None, self.course_id is not None, self.department_id is not None, bool(self.role)

    @property
    def subject(self) -> Subject:
        """Whom the rule speaks of."""
        if self.user_id is not None:
            return Subject.PERSON
        if self.course_id is not None:
            return Subject.COURSE
        if self.department_id is not None:
            return Subject.DEPARTMENT
        return Subject.ROLE if self.role else Subject.EVERYONE

    def holds_at(self, at: datetime) -> bool:
        """Whether the rule is in force at this instant."""
        return (self.starts_at is None or self.starts_at <= at) and (self.ends_at is None or at < self.ends_at)

    def speaks_of(self, facts: Facts) -> bool:
        """Whether this person is among those the rule is for."""
        return (
            self.user_id in (None, facts.user_id)
            and (self.course_id is None or self.course_id in facts.course_ids)
            and self.department_id in (None, facts.department_id)
            and self.role in ("", facts.role)
        )

    def covers(self, operation: Operation, model: str) -> bool:
        """Whether a call of this operation to this AI model counts under the rule."""
        if self.scope in ("", operation.value):
            return True
        names = self.scope.removeprefix(MODEL_SCOPE).split(",") if self.scope.startswith(MODEL_SCOPE) else []
        return any(model.startswith(name[:-1]) if name.endswith("*") else model == name for name in names)

    def _generosity(self) -> tuple[bool, int]:
        return self.limit is None, self.limit or 0


@dataclass(frozen=True, slots=True)
class Pool:
    """A course's pool as a plain value; its units are counted in `unit`."""

    course_id: int
    course_code: str
    unit: Unit
    when_empty: WhenEmpty

    @property
    def scope(self) -> str:
        """The scope of the rules that cap each student's part of the pool, and of the pool itself."""
        return POOL_SCOPE + self.course_code


@dataclass(frozen=True)
class Demand:
    """One limit that must have room for `amount` in `window`.

    Args:
        purses: what may meet it, in this order. Of a pool, only the pool.
    """

    rule: Rule
    amount: int
    window: Window
    purses: tuple[Purse, ...]

    @property
    def pool_course_id(self) -> int | None:
        """The course whose pool is to meet it; None: the person's own purses are."""
        return self.rule.course_id if self.purses == (Purse.POOL,) else None

    @cached_property
    def place(self) -> Place:
        """What the rule counts, and when its window began: with a person, the key of a purse."""
        return *self.rule.kind, self.window.starts_at


@dataclass(frozen=True, slots=True)
class Pace:
    """The rules of pace that hold for a call; None where no rule says anything.

    Args:
        turns: of one conversation, the one that is asked for included.
        attempts: in an hour.
        parallel: calls running at once, this one included.
    """

    turns: int | None = None
    attempts: int | None = None
    parallel: int | None = None


PRODUCT_RULE = Rule(Unit.PROMPTS, Period.MONTH, limit=20)


def choose_rules(rules: Iterable[Rule], *, facts: Facts, at: datetime) -> list[Rule]:
    """The rules that hold for this person at `at`: of each kind the most specific one (D12), in the order of kinds.

    Of two equally specific ones, which only two courses can have, the more generous holds. The product's own rule is
    always among the candidates, so that a missing row opens nothing.
    """
    candidates = [rule for rule in rules if rule.holds_at(at) and rule.speaks_of(facts)]
    ordered = sorted(candidates, key=lambda rule: (rule.specificity, rule._generosity(), rule.id or 0))
    chosen = {rule.kind: rule for rule in (PRODUCT_RULE, *ordered)}  # later ones win
    return [chosen[kind] for kind in sorted(chosen)]


def list_ways(
    chosen: Sequence[Rule], *, asked: Asked, at: datetime, terms: Sequence[Window] = (), pool: Pool | None = None
) -> list[tuple[Demand, ...]]:
    """The ways a call may be paid for, to be tried in this order: in each, every demand must be met.

    Usually there is one. A call in a course with a pool is paid by the pool within each student's cap, and after it,
    where the pool says so, by the person.

    Args:
        chosen: what `choose_rules` gave for the person.
        terms: the university's terms, in order of time.
        pool: the open pool of the call's course.

    Raises:
        Unmeasured: a limit covers the call, and nobody can say how much of it the call may use.
    """
    personal = _personal_demands(chosen, asked, at, terms)
    amount = asked.amounts.get(pool.unit) if pool is not None else None
    if pool is None or pool.course_id != asked.course_id or not amount:
        return [personal]
    whole = Rule(pool.unit, Period.ONCE, limit=0, scope=pool.scope, course_id=pool.course_id)
    shared = [
        Demand(whole, amount, window_of(Period.ONCE, at), (Purse.POOL,)),
        *(
            Demand(cap, amount, window_of(cap.period, at, terms), (Purse.PERIOD,))
            for cap in chosen
            if cap.unit == pool.unit and cap.scope == pool.scope
        ),
        *(demand for demand in personal if demand.rule.unit != pool.unit),
    ]
    return [tuple(shared)] if pool.when_empty == WhenEmpty.REFUSE else [tuple(shared), personal]


def pace_of(chosen: Sequence[Rule], *, operation: Operation, model: str) -> Pace:
    """How fast this person may go with such calls: of several rules that cover them, the strictest."""

    def least(unit: Unit) -> int | None:
        limits = [rule.limit for rule in chosen if rule.unit == unit and rule.covers(operation, model)]
        return min((limit for limit in limits if limit is not None), default=None)

    return Pace(turns=least(Unit.TURNS), attempts=least(Unit.ATTEMPTS), parallel=least(Unit.PARALLEL))


class InForce:
    """The rules that hold for a person for a while, and what follows from them for calls of one kind, worked out once.

    Args:
        chosen: what `choose_rules` gave for the person.
        at: an instant of that while: between two changes of the rules, and of one day, as every window begins with one.
        terms: the university's terms, in order of time.
    """

    def __init__(self, chosen: Sequence[Rule], *, at: datetime, terms: Sequence[Window] = ()) -> None:
        self.counted = {rule.unit for rule in chosen}
        self.limited = {rule.unit for rule in chosen if rule.limit is not None}
        self._chosen, self._at, self._terms = chosen, at, terms
        self._paces: dict[Hashable, Pace] = {}
        self._ways: dict[Hashable, list[tuple[Demand, ...]]] = {}

    def pace(self, operation: Operation, model: str) -> Pace:
        """See `pace_of`."""
        pace = self._paces.get((operation, model))
        if pace is None:
            pace = self._paces[operation, model] = pace_of(self._chosen, operation=operation, model=model)
        return pace

    def ways(self, asked: Asked, pool: Pool | None = None) -> list[tuple[Demand, ...]]:
        """See `list_ways`."""
        kind = (asked.operation, asked.model, asked.course_id, *asked.amounts.items())
        ways = self._ways.get(kind)
        if ways is None:
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()  # amounts of tokens and money are hardly ever the same
            ways = list_ways(self._chosen, asked=asked, at=self._at, terms=self._terms, pool=pool)
            self._ways[kind] = ways
        return ways


def fill(amount: int, rooms: Iterable[int | None]) -> list[int] | None:
    """How much to take from each purse, the first as far as it has room, then the next.

    Args:
        rooms: what each has left, in order; None: without end.

    Returns:
        One part for each purse, 0 where nothing is needed; None when together they have no room for `amount`.
    """
    parts = []
    for room in rooms:
        part = amount if room is None else min(amount, max(0, room))
        parts.append(part)
        amount -= part
    return None if amount else parts


def fits_period(unit: Unit, period: Period) -> bool:
    """Whether a rule may count this unit over this period."""
    return period == PACE_PERIODS[unit] if unit in PACE_PERIODS else period in _LENGTHS


def takes_extra(rule: Rule, chosen: Iterable[Rule]) -> bool:
    """Whether grants with an end of their own and purchases of the rule's unit and scope go to this limit."""
    longest = max(
        (_LENGTHS.index(other.period) for other in chosen if (other.unit, other.scope) == (rule.unit, rule.scope)),
        default=-1,
    )
    return _LENGTHS.index(rule.period) == longest


def _personal_demands(
    chosen: Sequence[Rule], asked: Asked, at: datetime, terms: Sequence[Window]
) -> tuple[Demand, ...]:
    covering = [
        rule
        for rule in chosen
        if rule.unit in LEDGER_UNITS
        and asked.amounts.get(rule.unit, 0) != 0
        and rule.covers(asked.operation, asked.model)
    ]
    return tuple(
        Demand(
            rule,
            _amount_of(rule, asked),
            window_of(rule.period, at, terms),
            _PERSONAL if takes_extra(rule, covering) else (Purse.PERIOD,),
        )
        for rule in covering
        if not _is_freed(rule, covering)
    )


def _amount_of(rule: Rule, asked: Asked) -> int:
    amount = asked.amounts[rule.unit]
    if amount is None and rule.limit is not None:
        raise Unmeasured(rule.name, asked.model)
    return amount or 0


def _is_freed(rule: Rule, covering: Iterable[Rule]) -> bool:
    """Whether a rule that says “no limit” for something narrower takes the call out of this one: an unmetered model."""
    return rule.limit is not None and any(
        other.limit is None and other.unit == rule.unit and _narrowness(other.scope) > _narrowness(rule.scope)
        for other in covering
    )


def _narrowness(scope: str) -> int:
    if not scope:
        return 0
    return 2 if scope.startswith(MODEL_SCOPE) else 1
