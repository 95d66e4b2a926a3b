"""Units, periods and the plain values that quotas hand upstairs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# A rule's scope: empty for everything, an operation, or this before an AI model's name.
MODEL_SCOPE = "model:"
# What no rule and no grant may exceed: far above any real allowance, far below what a column holds.
LARGEST_AMOUNT = 10**12


class Unit(TextChoices):
    """What is counted (D13). Money is in micro-units of the installation's currency."""

    PROMPTS = "prompts", _("prompts")
    TOKENS = "tokens", _("tokens")
    MONEY = "money", _("money")


class Period(TextChoices):
    """How long a window lasts. Windows are computed from the clock; nothing resets them (D11)."""

    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")
    ONCE = "once", _("once")


# What a rule counts: unit, period and scope. Rules of one kind compete; an allowance counts one kind.
Kind = tuple[Unit, Period, str]


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
    ADJUSTMENT = "adjustment", _("adjusted")


class Subject(TextChoices):
    """Whom a rule speaks of, from the widest to the most specific."""

    EVERYONE = "everyone", _("everyone")
    ROLE = "role", _("role")
    DEPARTMENT = "department", _("department")
    PERSON = "person", _("person")


@dataclass(frozen=True, slots=True)
class Window:
    """One period of one quota: from `starts_at` up to, not including, `ends_at` (None: never ends)."""

    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands under one quota in its present window, in `unit`s.

    `limit` includes the `granted` units. `limit` and `left` are None when the person is unmetered.
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
    subject: Subject = Subject.EVERYONE

    @property
    def left(self) -> int | None:
        """What may still be spent; never below 0 (D8)."""
        return None if self.limit is None else max(0, self.limit - self.used - self.held)

    @property
    def ruled(self) -> int | None:
        """The limit without grants: what the rule alone gives."""
        return None if self.limit is None else self.limit - self.granted

    @property
    def nearness(self) -> tuple[bool, float]:
        """Sorts standings by how near they are to their end; unmetered ones come last."""
        return (True, 0.0) if self.limit is None else (False, (self.left or 0) / max(1, self.limit))


@dataclass(frozen=True, slots=True)
class Reserved:
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
