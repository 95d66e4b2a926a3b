"""The plain values of the one walk: what was asked, where it goes, what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.types import Principal
from core.limiter import Attempts
from core.types import Operation, Via
from quotas.types import Standing
from usage.types import Outcome, Totals


class ProviderKind(TextChoices):
    """How a provider is spoken to: each kind has one adapter in gateway.upstreams."""

    OPENAI = "openai", _("OpenAI")
    AZURE = "azure", _("Azure OpenAI")
    COMPATIBLE = "compatible", _("any OpenAI-compatible address")
    LOCAL = "local", _("the small local model")
    PLACEHOLDER = "placeholder", _("labelled placeholder images, no AI")


@dataclass(frozen=True, slots=True)
class Call:
    """One API operation a person asked for, already validated.

    Args:
        id: names the call everywhere: request id, reservation, usage record.
        operation: chat or image.
        model: the catalog's public name.
        body: the request as OpenAI's API spells it, allow-listed, without `model` and `stream`.
        stream: whether the person wants the answer in pieces.
        count: how many choices or images (`n`); multiplies the weight (D1).
        course_code: the course the call is tagged with, or "".
        via: the door it came through.
    """

    id: UUID
    operation: Operation
    model: str
    body: Mapping[str, Any]
    stream: bool = False
    count: int = 1
    course_code: str = ""
    via: Via = Via.API


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model's calls go: the catalog's rows as plain values, with the credential in clear, for one call.

    Never logged: `credential` stays out of the representation.
    """

    model: str
    upstream_model: str
    provider: str
    kind: ProviderKind
    base_url: str
    api_version: str = ""
    credential: str = field(default="", repr=False)
    prompt_weight: int = 1
    allows_many: bool = False
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that passed every check: its units are reserved and its row is durable.

    `standings` are as they were just after the reservation, the one nearest to its end first.
    """

    principal: Principal
    call: Call
    target: Target
    course_id: int | None
    prompts: int
    standings: tuple[Standing, ...]
    admitted_at: datetime
    attempts: Attempts | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a reply.

    Args:
        data: the JSON of one server-sent event, ready to be framed; for a plain reply the whole body.
        text: the visible text in it, for the chat page.
        has_content: whether it carries anything a person could use: the first such chunk consumes the prompt (D2).
        totals: the provider's token totals, when this chunk reports them.
        finish_reason: why the model stopped, when this chunk says so.
    """

    data: bytes
    text: str = ""
    has_content: bool = False
    totals: Totals | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reply ended, for the ledger and the record. `code` says why when it was not served."""

    outcome: Outcome
    code: str = ""
    totals: Totals = field(default_factory=Totals)
    first_content_at: datetime | None = None
