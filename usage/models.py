"""What happened: one row per call, append-only, and the totals of each day."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Department
from accounts.types import Role
from core import clock
from core.append_only import AppendOnly
from core.types import Operation, Via
from courses.models import Course
from usage.types import Outcome, UsageSource


class UsageRecord(AppendOnly):
    """One call, refused ones included. Describes; never decides (the ledger does). Never updated after insertion."""

    call_id = models.UUIDField(unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(_("role"), max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+")
    # A key that is gone must not stand in the way of the record.
    key = models.ForeignKey(ApiKey, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    via = models.CharField(_("door"), max_length=8, choices=Via)
    operation = models.CharField(_("tool"), max_length=16, choices=Operation)
    model = models.CharField(_("AI model"), max_length=120)
    provider = models.CharField(_("provider"), max_length=80, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome)
    code = models.CharField(_("code"), max_length=40, blank=True)
    prompts = models.PositiveIntegerField(_("prompts"), default=0, help_text=_("What it cost the person in the end."))
    input_tokens = models.PositiveBigIntegerField(_("input tokens"), null=True)
    output_tokens = models.PositiveBigIntegerField(_("output tokens"), null=True)
    images = models.PositiveIntegerField(_("images"), default=0)
    usage_source = models.CharField(max_length=10, choices=UsageSource, default=UsageSource.NONE)
    cost_micro = models.PositiveBigIntegerField(_("cost"), default=0, help_text=_("Micro-units of the currency."))
    started_at = models.DateTimeField(_("started"))
    first_content_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(_("ended"), default=clock.now)

    class Meta:
        ordering = ("-started_at", "-id")
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        indexes: ClassVar = [
            models.Index(fields=["user", "-started_at"], name="usage_by_user"),
            models.Index(fields=["course", "-started_at"], name="usage_by_course"),
            models.Index(fields=["-started_at"], name="usage_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.outcome}"


class RollupDay(models.Model):
    """A day of the installation's time zone, and whether its rollups hold every record of it.

    Both who rolls a day up and who writes a late record of it take this row first, so that a complete day is complete.
    """

    day = models.DateField(primary_key=True)
    complete = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.day}"


class DailyRollup(models.Model):
    """A day's totals per person, course, door, tool, model and outcome; to be believed when its day is complete."""

    day = models.DateField(_("day"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    role = models.CharField(max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.CASCADE, null=True, related_name="+")
    course = models.ForeignKey(Course, models.CASCADE, null=True, related_name="+")
    via = models.CharField(max_length=8, choices=Via)
    operation = models.CharField(max_length=16, choices=Operation)
    model = models.CharField(max_length=120)
    outcome = models.CharField(max_length=16, choices=Outcome)
    calls = models.PositiveIntegerField(default=0)
    prompts = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    images = models.PositiveIntegerField(default=0)
    cost_micro = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-day",)
        verbose_name = _("daily totals")
        verbose_name_plural = _("daily totals")
        indexes: ClassVar = [
            models.Index(fields=["day"], name="rollup_by_day"),
            models.Index(fields=["user", "day"], name="rollup_by_user"),
            models.Index(fields=["course", "day"], name="rollup_by_course"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.user_id}: {self.prompts}"
