"""What happened: one row per call, the totals of each day, who opened whose chat; and what administrators are told."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Department
from accounts.types import Role
from core import clock
from core.append_only import AppendOnly
from core.ids import new_id
from core.types import Operation, Via
from courses.models import Course
from usage.types import AlarmKind, Every, LookReason, Outcome, UsageSource


class UsageRecord(AppendOnly):
    """One call, refused ones included. Describes; never decides (the ledger does). Never updated after insertion."""

    call_id = models.UUIDField(unique=True)
    # The indexes below begin with the person and with the course: neither has another.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    role = models.CharField(_("role"), max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+", db_index=False)
    # A key that is gone must not stand in the way of the record.
    key = models.ForeignKey(ApiKey, models.DO_NOTHING, null=True, db_constraint=False, related_name="+", db_index=False)
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
            models.Index(fields=["course", "-started_at"], condition=Q(course__isnull=False), name="usage_by_course"),
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


class _Measured(models.Model):
    """What the totals of a day have in common; to be believed when their day is complete."""

    day = models.DateField(_("day"))
    calls = models.PositiveIntegerField(default=0)
    prompts = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    images = models.PositiveIntegerField(default=0)
    cost_micro = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True


class _Totals(_Measured):
    """Totals of what is alike in everything but the person and the course."""

    role = models.CharField(max_length=16, choices=Role)
    department = models.ForeignKey(Department, models.CASCADE, null=True, related_name="+")
    via = models.CharField(max_length=8, choices=Via)
    operation = models.CharField(max_length=16, choices=Operation)
    model = models.CharField(max_length=120)
    outcome = models.CharField(max_length=16, choices=Outcome)

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


class DailyGroup(_Measured):
    """A day's totals of one department, course, role, door, tool, model or outcome: what a page asks of many days."""

    kind = models.CharField(max_length=16)  # a `Group`
    value = models.CharField(max_length=120, blank=True)  # as text; of no department and no course it is empty
    people = models.PositiveIntegerField(default=0)  # how many different ones made the calls

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "value", "day"], name="group_once_a_day"),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "day"], name="group_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.value}: {self.prompts}"


class Reading(models.Model):
    """What everybody's meter said at the end of a day: all that the rollups of this day and those before add up to.

    A span of days is the difference of two readings (docs/decisions/0063).
    """

    day = models.DateField()
    measure = models.CharField(max_length=16)  # one of MEASURES
    column = models.BinaryField()  # see usage.tables.pack

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["measure", "day"], name="reading_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.measure}"


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


class Budget(models.Model):
    """What a month may cost, in all or at one provider, before administrators are told. It refuses nobody."""

    # Named as text: the catalog stands on a higher floor.
    provider = models.CharField(_("provider"), max_length=80, unique=True, blank=True, help_text=_("Empty: all."))
    amount_micro = models.PositiveBigIntegerField(_("amount"), help_text=_("Micro-units of the currency."))

    class Meta:
        ordering = ("provider",)
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")

    def __str__(self) -> str:
        return f"{self.provider or '*'}: {self.amount_micro}"


class Alarm(models.Model):
    """Something administrators should know, told once in its window. Names and numbers, never words of a chat."""

    kind = models.CharField(_("kind"), max_length=16, choices=AlarmKind)
    subject = models.CharField(max_length=120, blank=True, help_text=_("What it is about, one of its kind."))
    window = models.CharField(max_length=40, help_text=_("The month or day in which it is told once."))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    facts = models.JSONField(default=dict)
    at = models.DateTimeField(_("time"), default=clock.now)
    seen_at = models.DateTimeField(_("seen"), null=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "subject", "window"], name="alarm_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-at"], name="alarm_by_time"),
            models.Index(fields=["at"], condition=models.Q(mailed_at=None), name="alarm_to_mail"),
            models.Index(fields=["at"], condition=models.Q(seen_at=None), name="alarm_new"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.window}"


class AlarmReader(models.Model):
    """An administrator who wants alarms by mail too."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")

    class Meta:
        verbose_name = _("reader of alarms")
        verbose_name_plural = _("readers of alarms")

    def __str__(self) -> str:
        return str(self.pk)


class Subscription(models.Model):
    """Somebody gets a page of use by mail, of each week or month that is over (docs/decisions/0039).

    Whoever has the token may end it, and nothing else.
    """

    token = models.UUIDField(default=new_id, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, models.CASCADE, null=True, related_name="+", help_text=_("Empty: everyone."))
    query = models.CharField(_("filters"), max_length=1000, blank=True, help_text=_("As in the page's address."))
    every = models.CharField(_("how often"), max_length=8, choices=Every)
    told_until = models.DateField(_("told until"))
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("report by mail")
        verbose_name_plural = _("reports by mail")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "course", "query", "every"], name="subscribed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.course or '*'} {self.every}"
