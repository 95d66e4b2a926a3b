"""The plain values of the one walk: what was asked, where it goes, what comes back.

What is made for every call is a tuple with names: a frozen dataclass takes five times as long to make.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.types import Principal
from core.errors import DomainError, InvalidRequest
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


class Dialect(StrEnum):
    """How a request and its answer are spelled: each a path of OpenAI's API, below /v1."""

    CHAT = "/chat/completions"
    RESPONSES = "/responses"
    IMAGES = "/images/generations"
    EDITS = "/images/edits"
    EMBEDDINGS = "/embeddings"
    MODERATIONS = "/moderations"


# What the names of the events begin with that tell of pictures while they are drawn.
PICTURE_EVENTS = {Dialect.IMAGES: "image_generation", Dialect.EDITS: "image_edit"}

_USUAL = {
    Operation.CHAT: Dialect.CHAT,
    Operation.IMAGE: Dialect.IMAGES,
    Operation.EMBEDDING: Dialect.EMBEDDINGS,
    Operation.MODERATION: Dialect.MODERATIONS,
}


class Capability(TextChoices):
    """What a chat or image model can do beyond its operation. A model that lists none is not known, and is let try."""

    VISION = "vision", _("looks at pictures")
    TOOLS = "tools", _("calls tools")
    JSON_SCHEMA = "json_schema", _("answers by a JSON schema")
    REASONING = "reasoning", _("reasons before it answers")
    LOGPROBS = "logprobs", _("gives log probabilities")
    EDITS = "edits", _("changes pictures")
    VARIATIONS = "variations", _("makes variations of pictures")
    PARTIAL_IMAGES = "partial_images", _("shows pictures while it draws them")


class DataClass(TextChoices):
    """The most sensitive data that people may send to a model."""

    PUBLIC = "public", _("public data only")
    INTERNAL = "internal", _("internal data of the university")
    CONFIDENTIAL = "confidential", _("confidential and personal data")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that came with a request: its bytes, and what they are, such as image/png."""

    data: bytes = field(repr=False)
    kind: str


class Call(NamedTuple):
    """One API operation a person asked for, already validated.

    Args:
        id: names the call everywhere: request id, reservation, usage record.
        operation: what the model is to do.
        model: the catalog's public name.
        body: the request as OpenAI's API spells it, allow-listed, without `model` and `stream`.
        stream: whether the person wants the answer in pieces.
        count: how many choices or images (`n`); multiplies the weight (D1).
        course_code: the course the call is tagged with, or its assignment (CODE/ASSIGNMENT), or "".
        via: the door it came through.
        spelled: the dialect of `body`, when it is not the operation's usual one.
        needs: what the model must be able to do, and the field that asks for it.
        is_large: whether to write it out takes so long that it is done off the event loop (contract, C33).
    """

    id: UUID
    operation: Operation
    model: str
    body: Mapping[str, Any]
    stream: bool = False
    count: int = 1  # type: ignore[assignment]  # a tuple's own, which counts how often it holds a value
    course_code: str = ""
    via: Via = Via.API
    spelled: Dialect | None = None
    needs: Mapping[Capability, str] = MappingProxyType({})
    is_large: bool = False

    @property
    def dialect(self) -> Dialect:
        """How `body` is spelled, and how the answer will be."""
        return self.spelled or _USUAL[self.operation]

    def instructed(self, instructions: str) -> "Call":
        """The call with these instructions put before whatever the person wrote; only a chat takes any."""
        if not instructions or self.operation != Operation.CHAT:
            return self
        if self.dialect == Dialect.RESPONSES:
            own = self.body.get("instructions")
            changed: dict[str, Any] = {"instructions": f"{instructions}\n\n{own}" if own else instructions}
        else:
            changed = {"messages": [{"role": "system", "content": instructions}, *self.body["messages"]]}
        return self._replace(body={**self.body, **changed})


# From an AI model's name to the request fields that may pass beyond OpenAI's own.
ExtraFields = Callable[[str], Collection[str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key as it came with a request.

    Args:
        route: the path it came to; a key is remembered per person and route.
        fingerprint: SHA-256 of the body, hexadecimal.
    """

    route: str
    key: str
    fingerprint: str


class Asking(NamedTuple):
    """A request nobody has looked into yet.

    Args:
        id: becomes the call's id.
        credential: an API key as it was shown, or the principal of a session.
        read: parses the body into the call. Pure and without the database: it may run twice, and in any thread. What
            it raises is the refusal, once everything that comes before the body (D10) has passed.
        claim: makes out the Idempotency-Key, if one came; may raise like `read`, after the credential was found good.
        is_large: whether to read it takes so long that it is done off the event loop (contract, C33).
    """

    id: UUID
    credential: str | Principal
    read: Callable[[ExtraFields], Call]
    claim: Callable[[], Claim] | None = None
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's prices in micro-units of the currency: a million tokens, an image. None: nobody said; 0: free.

    Input that the provider had cached costs what other input does where nobody said otherwise.
    """

    input: int | None = None
    output: int | None = None
    image: int | None = None
    cached_input: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model's calls go: the catalog's rows as plain values, with the credential in clear, for one call.

    Never logged: `credential` stays out of the representation.

    Args:
        model: the catalog's name of the model that answers: the one asked for, or its fallback.
        upstream_id: the upstream's row; 0 for none.
        position: the lower are asked first; among equals `weight` decides how often.
        most_parallel: calls this upstream takes at once from one process; None for any number.
        speaks_responses: whether it has /responses of its own.
        capabilities: what the model can do; empty when nobody said.
        image_weights: prompts per image by "SIZE QUALITY", "SIZE" or "QUALITY"; any other costs `prompt_weight`.
        spares: the other places, for when this one fails before its first content (D7).
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
    upstream_id: int = 0
    position: int = 0
    weight: int = 1
    most_parallel: int | None = None
    speaks_responses: bool = False
    capabilities: frozenset[Capability] = frozenset()
    image_weights: Mapping[str, int] = field(default_factory=dict)
    prices: Prices = Prices()
    spares: tuple["Target", ...] = ()

    def check_able(self, call: Call) -> None:
        """Raises InvalidRequest for what the model is known not to do; `param` names the field that asks for it."""
        if call.operation == Operation.CHAT and call.count > 1 and not self.allows_many:
            raise InvalidRequest(_("This model gives one choice per call. Leave out n, or set it to 1."), param="n")
        for capability, param in call.needs.items():
            if self.capabilities and capability not in self.capabilities:
                raise InvalidRequest(
                    _("This model does not offer this: %(ability)s.") % {"ability": capability.label}, param=param
                )

    def weigh(self, call: Call) -> int:
        """What a call costs in prompts (D1): the model's weight, or the picture's own, times the number of choices.

        A moderation costs nobody anything: it is asked for everyone's sake.
        """
        if call.operation == Operation.MODERATION:
            return 0
        return (self._weigh_image(call.body) if call.operation == Operation.IMAGE else self.prompt_weight) * call.count

    def _weigh_image(self, body: Mapping[str, Any]) -> int:
        size, quality = str(body.get("size", "")), str(body.get("quality", ""))
        names = (f"{size} {quality}", size, quality)
        return next((self.image_weights[name] for name in names if name in self.image_weights), self.prompt_weight)


class Admission(NamedTuple):
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


class Refused(NamedTuple):
    """Why a call was not admitted, and where its person stands: nearest to its end first, empty if nobody is known."""

    error: DomainError
    standings: tuple[Standing, ...] = ()
    attempts: Attempts | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request under an Idempotency-Key was answered with."""

    kind: str
    body: bytes


class Citation(NamedTuple):
    """A page an AI model says it took something from. The provider's word: nobody here has looked."""

    url: str
    title: str


class Chunk(NamedTuple):
    """One piece of a reply.

    Args:
        data: the JSON of one server-sent event, ready to be framed, or of several with their framing in between; for a
            plain reply the whole body.
        event: the event's name, in the dialects that name theirs.
        text: the visible text in it, for the chat page.
        has_content: whether it carries anything a person could use: the first such chunk consumes the prompt (D2).
        totals: the provider's token totals, when this chunk reports them.
        finish_reason: why the model stopped, when this chunk says so.
        thought: what the model says of its way to the answer, for the chat page.
        citations: the pages it names in this piece, for the chat page.
    """

    data: bytes
    text: str = ""
    has_content: bool = False
    totals: Totals | None = None
    finish_reason: str | None = None
    event: str = ""
    thought: str = ""
    citations: tuple[Citation, ...] = ()


class Ending(NamedTuple):
    """How a reply ended, for the ledger and the record.

    Args:
        code: why it was not served.
        target: where it went in the end; None for where it was admitted to.
    """

    outcome: Outcome
    code: str = ""
    totals: Totals = Totals()
    first_content_at: datetime | None = None
    target: Target | None = None
