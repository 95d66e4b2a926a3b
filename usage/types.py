"""How a call ended, and the plain values of its record."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

MOST_TOKENS = 10**9
# Farther days have no instant to compare with: calendars end within a day of date.min and date.max.
KNOWN_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2099, 12, 31))]
Group = Literal["day", "week", "month", "user", "role", "department", "course", "via", "operation", "model", "outcome"]


class Outcome(TextChoices):
    """Who or what ended the call."""

    SERVED = "served", _("answered")
    REFUSED = "refused", _("refused")
    UPSTREAM_FAILED = "upstream_failed", _("provider failed")
    CLIENT_LEFT = "client_left", _("stopped")
    LOST = "lost", _("lost")


class UsageSource(TextChoices):
    """Where the token totals come from."""

    REPORTED = "reported", _("reported by the provider")
    ESTIMATED = "estimated", _("estimated")
    NONE = "none", _("none")


@dataclass(frozen=True, slots=True)
class Totals:
    """What a call consumed at the provider. Tokens are None when nobody knows."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    images: int = 0
    source: UsageSource = UsageSource.NONE

    def __post_init__(self) -> None:
        """A count below 0 or beyond any context window is the provider's nonsense, and nobody's count."""
        for name in ("input_tokens", "output_tokens"):
            count = getattr(self, name)
            if count is not None and not 0 <= count <= MOST_TOKENS:
                object.__setattr__(self, name, None)


@dataclass(frozen=True, slots=True)
class UsageFilters:
    """Which usage to look at; what is None or empty does not narrow. Days are inclusive, in the installation's zone."""

    user_id: int | None = None
    role: str = ""
    department_id: int | None = None
    course_id: int | None = None
    via: str = ""
    operation: str = ""
    model: str = ""
    outcome: str = ""
    first_day: date | None = None
    last_day: date | None = None


@dataclass(slots=True)
class Summary:
    """The totals of one group; `key` holds the group's values in the order they were asked for."""

    key: tuple[Any, ...] = ()
    calls: int = 0
    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    cost_micro: int = 0
