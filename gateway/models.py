"""The catalog: which models people may name, and where their calls go. And the memory of idempotency keys."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from core import clock
from core.types import Operation
from gateway.types import ProviderKind


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
        help_text=_("Names beyond OpenAI's published ones that may pass, separated by spaces, such as top_k."),
    )
    credential_encrypted = models.TextField(blank=True, editable=False)
    is_from_environment = models.BooleanField(
        default=False,
        editable=False,
        help_text=_("Address and credential are read from OPENAI_BASE_URL and OPENAI_API_KEY."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("provider", "name")
        verbose_name = _("upstream")
        verbose_name_plural = _("upstreams")
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "name"], name="upstream_once")]

    def __str__(self) -> str:
        return f"{self.provider}: {self.name}"


class Model(models.Model):
    """A catalog entry people may name; maps to an upstream's own name for it."""

    name = models.CharField(_("name in the API"), max_length=120, unique=True)
    label = models.CharField(_("label"), max_length=80)
    description = models.CharField(_("description"), max_length=240, blank=True)
    operation = models.CharField(_("tool"), max_length=16, choices=Operation, default=Operation.CHAT)
    upstream = models.ForeignKey(Upstream, models.PROTECT, related_name="models", verbose_name=_("upstream"))
    upstream_name = models.CharField(_("name at the upstream"), max_length=120)
    prompt_weight = models.PositiveSmallIntegerField(
        _("weight in prompts"), default=1, validators=[MinValueValidator(1), MaxValueValidator(16)]
    )
    allows_many = models.BooleanField(_("allows several choices (n > 1)"), default=False)
    max_output_tokens = models.PositiveIntegerField(_("most output tokens"), null=True, blank=True)
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
