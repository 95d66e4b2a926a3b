"""Who wrote a message, and how far an answer or an image job has come."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Author(TextChoices):
    """Who wrote a message."""

    PERSON = "person", _("You")
    MODEL = "model", _("AI model")


class Progress(TextChoices):
    """How far an answer or an image job has come."""

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("answering")
    COMPLETE = "complete", _("complete")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")
