"""What happened: one row per call, the totals of each day, and who opened whose chat."""

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
from usage.types import LookReason, Outcome, UsageSource


class UsageRecord(AppendOnly):
    """One call, refused ones included. Describes; never decides (the ledger does). Never updated after insertion."""

    call_id = models.UUIDField(unique=True)
    # The indexes below begin with the person and with the course: neither has another.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    role = models.CharField(_("role"), max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+", db_index=False)
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
    writings = models.PositiveIntegerField(default=0)  # how often its rollups were written

    def __str__(self) -> str:
        return f"{self.day}"


class _Totals(models.Model):
    """What the totals of a day have in common; to be believed when their day is complete."""

    day = models.DateField(_("day"))
    role = models.CharField(max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.CASCADE, null=True, related_name="+")
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
        abstract = True


class DailyRollup(_Totals):
    """A day's totals per person, course, department, door, tool, model and outcome."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, models.CASCADE, null=True, related_name="+")

    class Meta:
        ordering = ("-day",)
        verbose_name = _("daily totals")
        verbose_name_plural = _("daily totals")
        indexes: ClassVar = [
            models.Index(fields=["day", "user"], name="rollup_by_day_and_user"),
            models.Index(fields=["user", "day"], name="rollup_by_user"),
            models.Index(fields=["course", "day"], name="rollup_by_course"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.user_id}: {self.prompts}"


class DailyTotal(_Totals):
    """The same without the people and the courses: few rows, for what is asked of the whole university."""

    class Meta:
        ordering = ("-day",)
        verbose_name = _("daily totals of the university")
        verbose_name_plural = _("daily totals of the university")
        indexes: ClassVar = [models.Index(fields=["day"], name="total_by_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.prompts}"


class Opening(AppendOnly):
    """A teacher opened a student's chat, with a reason and for a limited time; the student sees it (D14).

    The chat is named by its id alone: its words stay where its owner and retention can delete them.
    """

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, related_name="+")
    conversation_id = models.UUIDField()
    reason = models.CharField(_("reason"), max_length=16, choices=LookReason)
    note = models.CharField(_("in your words"), max_length=500)
    at = models.DateTimeField(_("opened"), default=clock.now)
    until = models.DateTimeField(_("may be read until"))

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("opening of a chat")
        verbose_name_plural = _("openings of chats")
        indexes: ClassVar = [
            models.Index(fields=["owner", "-at"], name="opening_by_owner"),
            models.Index(fields=["viewer", "conversation_id"], name="opening_by_viewer"),
            models.Index(fields=["course", "-at"], name="opening_by_course"),
        ]

    def __str__(self) -> str:
        return f"{self.viewer} → {self.owner}: {self.reason}"
