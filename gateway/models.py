"""The catalog: which models people may name, and where their calls go. And the memory of idempotency keys."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from core import clock
from core.clock import KNOWN_DAYS
from core.types import Operation
from gateway.columns import MOST_MONEY, MOST_WEIGHT, ListOf, check_extra_fields, check_weights
from gateway.types import Capability, DataClass, ProviderKind

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def _price(label: "StrPromise") -> "models.PositiveBigIntegerField[Any, Any]":
    return models.PositiveBigIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_MONEY)],
        help_text=_("In millionths of the currency. Empty: not known."),
    )


class Provider(models.Model):
    """The organization that runs models."""

    slug = models.SlugField(_("short name"), unique=True)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=16, choices=ProviderKind)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("name",)
        verbose_name = _("provider")
        verbose_name_plural = _("providers")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """A provider does not become one of a kind that its addresses cannot be of."""
        if self.pk and any(upstream.list_missing(self.kind) for upstream in self.upstreams.all()):
            raise ValidationError(
                {"kind": _("This kind needs an address, and Azure an API version. Enter them first.")}
            )


class Upstream(models.Model):
    """One configured endpoint of a provider. The credential is encrypted with a key outside the database."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="upstreams")
    name = models.CharField(_("name"), max_length=80)
    base_url = models.URLField(_("address"), blank=True, help_text=_("Up to and including /v1. Empty: the kind's own."))
    api_version = models.CharField(_("API version"), max_length=40, blank=True, help_text=_("Azure only."))
    extra_fields = models.CharField(
        _("more request fields"),
        max_length=500,
        blank=True,
        validators=[check_extra_fields],
        help_text=_("Names beyond OpenAI's published ones that may pass, separated by spaces, such as top_k."),
    )
    credential_encrypted = models.TextField(blank=True, editable=False)
    credential_set_at = models.DateTimeField(_("credential set"), null=True, editable=False)
    is_from_environment = models.BooleanField(
        default=False,
        editable=False,
        help_text=_("Address and credential are read from OPENAI_BASE_URL and OPENAI_API_KEY."),
    )
    most_parallel = models.PositiveSmallIntegerField(
        _("calls at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Of each web process. Empty: any number."),
    )
    speaks_responses = models.BooleanField(
        _("has /responses"),
        default=False,
        help_text=_("Calls to /v1/responses are passed on as they are. Otherwise they are translated to chat."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("provider", "name")
        verbose_name = _("upstream")
        verbose_name_plural = _("upstreams")
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "name"], name="upstream_once")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.name}"

    def clean(self) -> None:
        """OpenAI alone has an address of its own, and Azure none without a version: the key would go elsewhere."""
        missing = self.list_missing(self.provider.kind) if hasattr(self, "provider") else []
        if missing:
            raise ValidationError(dict.fromkeys(missing, _("This kind of provider needs it.")))

    def list_missing(self, kind: str) -> list[str]:
        """The columns that are empty and may not be at a provider of this kind."""
        if self.is_from_environment:
            return []
        needed: dict[str, list[str]] = {
            ProviderKind.AZURE: ["base_url", "api_version"],
            ProviderKind.COMPATIBLE: ["base_url"],
        }
        return [name for name in needed.get(kind, []) if not getattr(self, name)]


class Model(models.Model):
    """A catalog entry people may name; its routes say where calls to it go.

    Prices are integers: micro-units of the installation's currency, per million tokens or per image. Empty means that
    nobody said, which is not the same as free.
    """

    name = models.CharField(_("name in the API"), max_length=120, unique=True)
    label = models.CharField(_("label"), max_length=80)
    description = models.CharField(_("description"), max_length=240, blank=True)
    operation = models.CharField(_("tool"), max_length=16, choices=Operation, default=Operation.CHAT)
    audience = models.JSONField(
        _("for whom"),
        default=list,
        blank=True,
        validators=[ListOf(Role)],
        help_text=_("Roles that see it. None: everyone."),
    )
    capabilities = models.JSONField(
        _("abilities"),
        default=list,
        blank=True,
        validators=[ListOf(Capability)],
        help_text=_("What it can do. None: not known, and everything is passed on."),
    )
    data_class = models.CharField(_("data"), max_length=16, choices=DataClass, default=DataClass.PUBLIC)
    context_tokens = models.PositiveIntegerField(_("context in tokens"), null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(_("most output tokens"), null=True, blank=True)
    prompt_weight = models.PositiveSmallIntegerField(
        _("weight in prompts"), default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_WEIGHT)]
    )
    image_weights = models.JSONField(
        _("weights of images"),
        default=dict,
        blank=True,
        validators=[check_weights],
        help_text=_('Prompts per image by size, quality or both, such as {"1024x1536 high": 4}.'),
    )
    allows_many = models.BooleanField(_("allows several choices (n > 1)"), default=False)
    input_price = _price(_("price of a million input tokens"))
    cached_input_price = _price(_("price of a million cached input tokens"))
    output_price = _price(_("price of a million output tokens"))
    image_price = _price(_("price of an image"))
    fallback = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("stand-in"),
        help_text=_("Answers when this one is retired, or when none of its upstreams can."),
    )
    retires_on = models.DateField(_("retired from"), null=True, blank=True, validators=KNOWN_DAYS)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("The first of a tool is its default.")
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("operation", "position", "name")
        verbose_name = _("AI model")
        verbose_name_plural = _("AI models")

    def __str__(self) -> str:
        return self.label

    @property
    def routes_in_use(self) -> "list[Route]":
        """The routes that calls may take, in order."""
        return [route for route in self.routes.all() if route.is_in_use]

    @property
    def is_retired(self) -> bool:
        """Whether its last day is over."""
        return self.retires_on is not None and self.retires_on <= clock.local_day(clock.now())

    @property
    def audience_labels(self) -> "list[StrPromise]":
        """The roles that see it, in words; none where everyone does."""
        return [Role(role).label for role in self.audience]

    def may(self, capability: Capability) -> bool:
        """Whether the model is known to do this, or nothing is known of it."""
        return not self.capabilities or capability in self.capabilities

    def is_for(self, role: Role) -> bool:
        """Whether people of the role see it."""
        return not self.audience or role in self.audience


class Route(models.Model):
    """One upstream that answers for a model: the lower position is asked first, among equals the weight decides."""

    model = models.ForeignKey(Model, models.CASCADE, related_name="routes", verbose_name=_("AI model"))
    upstream = models.ForeignKey(Upstream, models.PROTECT, related_name="routes", verbose_name=_("upstream"))
    upstream_name = models.CharField(_("name at the upstream"), max_length=120)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("position", "id")
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "upstream", "upstream_name"], name="route_once"),
        ]

    def __str__(self) -> str:
        return f"{self.upstream}: {self.upstream_name}"

    @property
    def is_in_use(self) -> bool:
        """Whether it, its upstream and its provider are all enabled."""
        return self.is_enabled and self.upstream.is_enabled and self.upstream.provider.is_enabled


class IdempotencyKey(models.Model):
    """The first result under an Idempotency-Key, for 24 hours: `status` is None while it is still running."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    route = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    call_id = models.UUIDField(unique=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "route", "key"], name="idempotency_once")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_by_time")]

    def __str__(self) -> str:
        return f"{self.route} {self.call_id}"
