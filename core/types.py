"""Words every floor shares. Enumerations only."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Operation(TextChoices):
    """What a call asks a model to do (OpenTelemetry's gen_ai.operation.name)."""

    CHAT = "chat", _("Chat")
    IMAGE = "image", _("Image")
    EMBEDDING = "embedding", _("Embedding")
    MODERATION = "moderation", _("Moderation")


class Via(TextChoices):
    """The door a call came through."""

    WEB = "web", _("Web page")
    API = "api", _("API")
