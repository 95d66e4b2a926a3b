"""How a call ended, and the plain values of its record."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, Required, TypedDict
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.types import Principal
from core.types import Operation, Via

MOST_TOKENS = 10**9
# Every transaction that was under way at an instant is over so long after it: nothing of before comes any more.
SETTLING_TIME = timedelta(hours=1)
MEASURES = ("calls", "prompts", "input_tokens", "output_tokens", "images", "cost_micro")  # the numbers of `Summary`
Group = Literal["day", "week", "month", "user", "role", "department", "course", "via", "operation", "model", "outcome"]


class Outcome(TextChoices):
    """Who or what ended the call."""

    SERVED = "served", _("answered")
    REFUSED = "refused", _("refused")
    UPSTREAM_FAILED = "upstream_failed", _("provider failed")
    CLIENT_LEFT = "client_left", _("stopped")
    LOST = "lost", _("lost")


class Measure(TextChoices):
    """What a picture of use counts: the fields of `Summary`."""

    PROMPTS = "prompts", _("Prompts")
    CALLS = "calls", _("Calls")
    INPUT_TOKENS = "input_tokens", _("Input tokens")
    OUTPUT_TOKENS = "output_tokens", _("Output tokens")
    IMAGES = "images", _("Images")


class LookReason(TextChoices):
    """Why a teacher opens a student's chat; a sentence of their own always goes with it."""

    HELP = "help", _("the student asked for help")
    FEEDBACK = "feedback", _("feedback or grading of coursework")
    INTEGRITY = "integrity", _("a question of academic integrity")
    SAFETY = "safety", _("worry about somebody's safety")


class Every(TextChoices):
    """How often a report comes by mail."""

    WEEK = "week", _("every Monday, of the week before")
    MONTH = "month", _("on the first of every month, of the month before")


class AlarmKind(TextChoices):
    """What administrators are told of; docs/decisions/0038 has the rules."""

    BUDGET_80 = "budget_80", _("budget at 80 %")
    BUDGET_100 = "budget_100", _("budget at 100 %")
    ODD_USE = "odd_use", _("odd use")
    REFUSALS = "refusals", _("many refusals")
    PROVIDER_AWAY = "provider_away", _("provider away")


class UsageSource(TextChoices):
    """Where the token totals come from."""

    REPORTED = "reported", _("reported by the provider")
    ESTIMATED = "estimated", _("estimated")
    NONE = "none", _("none")


@dataclass(frozen=True, slots=True)
class Totals:
    """What a call consumed at the provider. Tokens are None when nobody knows.

    Args:
        cached_tokens: those of the input tokens that the provider had read before, and may charge less for.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    images: int = 0
    source: UsageSource = UsageSource.NONE

    def __post_init__(self) -> None:
        """A count below 0 or beyond any context window is the provider's nonsense, and nobody's count."""
        for name in ("input_tokens", "output_tokens"):
            count = getattr(self, name)
            if count is not None and not 0 <= count <= MOST_TOKENS:
                object.__setattr__(self, name, None)


class Recording(TypedDict, total=False):
    """The fields of `Record`, by name."""

    call_id: Required[UUID]
    principal: Required[Principal]
    course_id: Required[int | None]
    via: Required[Via]
    operation: Required[Operation]
    model: Required[str]
    provider: Required[str]
    outcome: Required[Outcome]
    started_at: Required[datetime]
    code: str
    prompts: int
    totals: Totals
    cost_micro: int
    first_content_at: datetime | None


class Record(NamedTuple):
    """What is kept of one call.

    Args:
        course_id: the course the call was made in, if any.
        code: the error's code when the outcome is not `served`.
        prompts: what it cost the person in the end.
        cost_micro: in micro-units of the installation's currency.
        started_at: the admission instant; the record belongs to this day.
    """

    call_id: UUID
    principal: Principal
    course_id: int | None
    via: Via
    operation: Operation
    model: str
    provider: str
    outcome: Outcome
    started_at: datetime
    code: str = ""
    prompts: int = 0
    totals: Totals = Totals()
    cost_micro: int = 0
    first_content_at: datetime | None = None


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


class CallsOfDay(NamedTuple):
    """Calls of one day of UTC to one model that ended alike, and what is known of what they consumed.

    Args:
        provider: empty where nobody knows which of them had the calls.
    """

    day: date
    model: str
    provider: str
    operation: str
    outcome: str
    usage_source: str
    calls: int
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0


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
