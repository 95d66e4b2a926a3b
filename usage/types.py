"""How a call ended, and the plain values of its record."""

from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


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
