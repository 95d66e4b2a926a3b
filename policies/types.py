"""Values of this room."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Level(TextChoices):
    """How loud a notice is; the last one closes the doors."""

    INFO = "info", _("Information")
    WARNING = "warning", _("Warning")
    MAINTENANCE = "maintenance", _("Maintenance: only administrators come in")
