"""Units, periods and the plain values that quotas hand upstairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# A rule's scope: empty for everything, an operation, this before names of AI models (a comma between them, a star at
# the end of one for every name that begins so), or this before the code of the course whose pool it shares out.
MODEL_SCOPE = "model:"
POOL_SCOPE = "pool:"
LONGEST_SCOPE = 240
# What no rule and no grant may exceed: far above any real allowance, far below what a column holds.
LARGEST_AMOUNT = 10**12
WARNED_AT = 80  # per cent of a window: from here on people are told how little is left


class Unit(TextChoices):
    """What a rule counts (D13). Money is in micro-units of the installation's currency.

    The first three are kept in the ledger; the others bound the pace of calls and are counted where calls are admitted.
    """

    PROMPTS = "prompts", _("prompts")
    TOKENS = "tokens", _("tokens")
    MONEY = "money", _("money")
    TURNS = "turns", _("turns")
    ATTEMPTS = "attempts", _("attempts")
    PARALLEL = "parallel", _("calls at once")


class Period(TextChoices):
    """How long a window lasts. Windows are computed from the clock; nothing resets them (D11)."""

    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")
    TERM = "term", _("term")
    ONCE = "once", _("once")
    HOUR = "hour", _("hour")
    CONVERSATION = "talk", _("conversation")
    MOMENT = "moment", _("moment")


# What the ledger keeps, and over what; and the one period each of the other units has.
LEDGER_UNITS = (Unit.PROMPTS, Unit.TOKENS, Unit.MONEY)
LEDGER_PERIODS = (Period.DAY, Period.WEEK, Period.MONTH, Period.TERM, Period.ONCE)
PACE_PERIODS = {
    Unit.TURNS: Period.CONVERSATION,
    Unit.ATTEMPTS: Period.HOUR,
    Unit.PARALLEL: Period.MOMENT,
}


# What a rule counts: unit, period and scope. Rules of one kind compete; an allowance counts one kind.
Kind = tuple[Unit, Period, str]


class Purse(TextChoices):
    """What an allowance holds: the units of a rule's window, or units beside it with an end of their own, or none.

    A demand is met from them in this order (D12): the window's, then grants by expiry, then what was purchased.
    A pool is a course's.
    """

    PERIOD = "period", _("the period's")
    GRANT = "grant", _("granted")
    PURCHASED = "purchased", _("purchased")
    POOL = "pool", _("a course's pool")


class WhenEmpty(TextChoices):
    """What becomes of a course's call when its pool has no room."""

    PERSONAL = "personal", _("the person's own quota pays")
    REFUSE = "refuse", _("it is refused")


class State(TextChoices):
    """The life of a reservation. Each arrow is one conditional update and one ledger entry.

    held → dispatched → settled → closed; held or dispatched → released; settled → reversed.
    """

    HELD = "held", _("held")
    DISPATCHED = "dispatched", _("on its way")
    SETTLED = "settled", _("used, still answering")
    CLOSED = "closed", _("used")
    RELEASED = "released", _("given back")
    REVERSED = "reversed", _("used, then given back")


# States in which a reservation still needs someone to end it, and those in which its units are only held.
OPEN_STATES = (State.HELD, State.DISPATCHED, State.SETTLED)
HOLDING_STATES = (State.HELD, State.DISPATCHED)


class EntryKind(TextChoices):
    """One movement of the ledger."""

    RESERVE = "reserve", _("held")
    SETTLE = "settle", _("used")
    RELEASE = "release", _("given back")
    EXPIRE = "expire", _("given back: the answer never came")
    REVERSE = "reverse", _("given back: the provider failed")
    GRANT = "grant", _("granted")
    LAPSE = "lapse", _("lapsed")
    ADJUSTMENT = "adjustment", _("adjusted")


class RequestState(TextChoices):
    """What became of a request for more."""

    OPEN = "open", _("waiting")
    GRANTED = "granted", _("granted")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")


class PurchaseState(TextChoices):
    """Whether a purchase was paid; a paid one is booked."""

    OPEN = "open", _("not paid")
    PAID = "paid", _("paid")


class Subject(TextChoices):
    """Whom a rule speaks of, from the widest to the most specific."""

    EVERYONE = "everyone", _("everyone")
    ROLE = "role", _("role")
    DEPARTMENT = "department", _("department")
    COURSE = "course", _("course")
    PERSON = "person", _("person")


@dataclass(frozen=True, slots=True)
class Window:
    """One period of one quota: from `starts_at` up to, not including, `ends_at` (None: never ends)."""

    starts_at: datetime
    ends_at: datetime | None


class Standing(NamedTuple):
    """Where a person stands under one quota in its present window, in `unit`s.

    `limit` includes the units `granted` for the window. `extra` is what is left beside it, in grants with an end of
    their own and in purchases. `limit` and `left` are None when the person is unmetered.
    """

    name: str
    unit: Unit
    period: Period
    scope: str
    limit: int | None
    used: int
    held: int
    window: Window
    granted: int = 0
    extra: int = 0
    subject: Subject = Subject.EVERYONE

    @property
    def left(self) -> int | None:
        """What may still be spent; never below 0 (D8)."""
        return None if self.limit is None else max(0, self.limit - self.used - self.held) + self.extra

    @property
    def whole(self) -> int | None:
        """What `left` is a part of: the limit, and more where something stands beside it."""
        return None if self.limit is None else self.limit + self.extra

    @property
    def is_low(self) -> bool:
        """Whether so much is used or held that the person should know before asking."""
        return self.limit is not None and 100 * (self.left or 0) <= (100 - WARNED_AT) * self.limit

    @property
    def ruled(self) -> int | None:
        """The limit without grants: what the rule alone gives."""
        return None if self.limit is None else self.limit - self.granted

    @property
    def nearness(self) -> tuple[bool, float]:
        """Sorts standings by how near they are to their end; unmetered ones come last."""
        return (True, 0.0) if self.limit is None else (False, (self.left or 0) / max(1, self.limit))


class Reserved(NamedTuple):
    """What `reserve` did: the reservation's id and the standing just after it, nearest to its end first."""

    call_id: UUID
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two numbers of the books that should be equal and are not."""

    row: str
    field: str
    counter: int
    books: int


@dataclass(frozen=True, slots=True)
class ImportedRule:
    """What one line of a file of rules does, or would do.

    Args:
        line: number in the file.
        subject: whom the rule is for, as the file says it.
        action: "create", "update" or "same".
        changes: what was and what is.
    """

    line: int
    subject: str
    action: Literal["create", "update", "same"]
    changes: Mapping[str, tuple[str, str]]
