"""Units, periods and the plain values that quotas hand upstairs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


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


class EntryKind(TextChoices):
    """One movement of the ledger."""

    RESERVE = "reserve", _("held")
    SETTLE = "settle", _("used")
    RELEASE = "release", _("given back")
    EXPIRE = "expire", _("given back: the answer never came")
    REVERSE = "reverse", _("given back: the provider failed")
    GRANT = "grant", _("granted")
    ADJUSTMENT = "adjustment", _("adjusted")


@dataclass(frozen=True, slots=True)
class Window:
    """One period of one quota: from `starts_at` up to, not including, `ends_at` (None: never ends)."""

    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands under one quota in its present window, in `unit`s.

    `limit` and `left` are None when the person is unmetered.
    """

    name: str
    unit: Unit
    period: Period
    scope: str
    limit: int | None
    used: int
    held: int
    window: Window

    @property
    def left(self) -> int | None:
        """What may still be spent; never below 0 (D8)."""
        return None if self.limit is None else max(0, self.limit - self.used - self.held)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What `reserve` did: the reservation's id and the standing just after it, nearest to its end first."""

    call_id: UUID
    standings: tuple[Standing, ...]
