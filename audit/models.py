"""The audit log: one row for each act of an administrator or a teacher, written once and chained."""

from datetime import UTC
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.types import Through
from core import clock
from core.append_only import AppendOnly


class Entry(AppendOnly):
    """One act. `seal` vouches for this row and, through the seal before it, for every earlier one.

    People and things are kept as text beside their ids, without a relation: the log reads the same when they are gone.
    """

    number = models.BigIntegerField(_("number"), primary_key=True)
    at = models.DateTimeField(_("time"), default=clock.now)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(_("who"), max_length=254, blank=True)
    through = models.CharField(_("door"), max_length=8, choices=Through)
    address = models.CharField(_("address"), max_length=45, blank=True)
    action = models.CharField(_("act"), max_length=40)
    subject = models.CharField(_("subject"), max_length=160)
    name = models.CharField(_("name of the subject"), max_length=254, blank=True)
    changes = models.JSONField(_("changes"), default=dict)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    seal = models.CharField(_("seal"), max_length=64)

    class Meta:
        ordering = ("-number",)
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes: ClassVar = [
            models.Index(fields=["actor_id", "-number"], name="audit_by_actor"),
            models.Index(fields=["subject", "-number"], name="audit_by_subject"),
            models.Index(fields=["action", "-number"], name="audit_by_action"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.subject}"

    def content(self) -> dict[str, Any]:
        """Everything the seal vouches for."""
        return {
            "number": self.number,
            "at": self.at.astimezone(UTC).isoformat(),
            "actor_id": self.actor_id,
            "actor": self.actor,
            "through": str(self.through),
            "address": self.address,
            "action": self.action,
            "subject": self.subject,
            "name": self.name,
            "changes": self.changes,
            "reason": self.reason,
        }
