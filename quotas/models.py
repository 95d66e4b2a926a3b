"""The rules of how much, and the ledger that proves it.

Quota          the rule: so many units per period for everyone, a role, a department or a person
Allowance      what one person has used and holds in one window of one kind of quota
Reservation    units held for one call, and what became of them
LedgerEntry    every movement, append-only; its sums are the counters of Allowance
Grant          extra units in one window, given by someone for a reason
"""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Department
from accounts.types import Role
from core import clock
from core.append_only import AppendOnly
from core.types import Operation, Via
from quotas.types import LARGEST_AMOUNT, MODEL_SCOPE, OPEN_STATES, EntryKind, Kind, Period, State, Subject, Unit
from quotas.wording import name_rule


class Quota(models.Model):
    """A dated rule. A change inserts a new row and ends the old one, so old statements keep the rule of their day.

    Of the rules of the same unit, period and scope the most specific wins (D12):
    person, then department, then role, then everyone.
    """

    unit = models.CharField(_("unit"), max_length=8, choices=Unit, default=Unit.PROMPTS)
    period = models.CharField(_("period"), max_length=8, choices=Period, default=Period.MONTH)
    scope = models.CharField(
        _("covers"), max_length=140, blank=True, help_text=_("Empty: everything. Or an operation, or model:NAME.")
    )
    limit = models.PositiveBigIntegerField(
        _("limit"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(LARGEST_AMOUNT)],
        help_text=_("Empty: unmetered."),
    )
    role = models.CharField(_("role"), max_length=16, choices=Role, blank=True)
    department = models.ForeignKey(
        Department, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("department")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    starts_at = models.DateTimeField(_("from"), default=clock.now)
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=240, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False)
    end_reason = models.CharField(max_length=240, blank=True, editable=False)

    class Meta:
        ordering = ("unit", "period", "scope", "-starts_at", "-id")
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="quota_ends_after_start"
            ),
            models.UniqueConstraint(
                "unit",
                "period",
                "scope",
                "role",
                Coalesce("department", 0),
                Coalesce("user", 0),
                condition=Q(ends_at=None),
                name="quota_in_force_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "ends_at"], name="quota_by_user"),
            models.Index(fields=["role", "ends_at"], name="quota_by_role"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The rule in words, such as “20 prompts per month”, in the reader's language."""
        return name_rule(self.kind, self.limit)

    @property
    def kind(self) -> Kind:
        """What the rule counts; rules of the same kind compete, and an allowance counts one kind."""
        return Unit(self.unit), Period(self.period), self.scope

    @property
    def specificity(self) -> tuple[bool, bool, bool]:
        """Sorts rules as D12 says: person, then department, then role, then everyone."""
        return self.user_id is not None, self.department_id is not None, bool(self.role)

    @property
    def who(self) -> tuple[str, int | None, int | None]:
        """Whom the rule is for, as a key: role, department, person."""
        return self.role, self.department_id, self.user_id

    @property
    def subject(self) -> Subject:
        """Whom the rule speaks of."""
        if self.user_id is not None:
            return Subject.PERSON
        if self.department_id is not None:
            return Subject.DEPARTMENT
        return Subject.ROLE if self.role else Subject.EVERYONE

    def covers(self, operation: Operation, model: str) -> bool:
        """Whether a call of this operation to this AI model counts under the rule."""
        return self.scope in ("", operation.value, MODEL_SCOPE + model)


class Allowance(models.Model):
    """One person's counters in one window. Changed only by conditional updates in quotas.services."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    unit = models.CharField(max_length=8, choices=Unit)
    period = models.CharField(max_length=8, choices=Period)
    scope = models.CharField(max_length=140, blank=True)
    window_start = models.DateTimeField()
    granted = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-window_start", "user")
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "unit", "period", "scope", "window_start"], name="allowance_once"),
            models.CheckConstraint(
                condition=Q(used__gte=0, held__gte=0, granted__gte=0), name="allowance_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.unit} {self.window_start:%Y-%m-%d}: {self.used}+{self.held}"

    @property
    def kind(self) -> Kind:
        """What is counted here."""
        return Unit(self.unit), Period(self.period), self.scope


class Reservation(models.Model):
    """The durable row of one call, committed before its first byte goes upstream (C01)."""

    call_id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.HELD)
    operation = models.CharField(max_length=16, choices=Operation)
    model = models.CharField(max_length=120)
    course_code = models.CharField(max_length=32, blank=True)
    via = models.CharField(max_length=8, choices=Via)
    # For the statement only: a key that is gone must not stand in the way of the books.
    key = models.ForeignKey(ApiKey, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        indexes: ClassVar = [
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=OPEN_STATES),
                name="reservation_open_lease",
            ),
            models.Index(
                fields=["user"],
                condition=Q(state__in=OPEN_STATES),
                name="reservation_open_user",
            ),
            models.Index(fields=["user", "ended_at"], condition=Q(state=State.REVERSED), name="reservation_reversed"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.state}"


class Grant(models.Model):
    """Extra units in one allowance, given by someone for a reason."""

    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="grants")
    amount = models.PositiveBigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=240)
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(_("granted"), default=clock.now)

    class Meta:
        ordering = ("-at",)
        verbose_name = _("grant")
        verbose_name_plural = _("grants")

    def __str__(self) -> str:
        return f"+{self.amount}"


class LedgerEntry(AppendOnly):
    """One movement. Inserted in the transaction that moves the counters; never updated, never deleted.

    Per allowance: Σ delta_used = used, Σ delta_held = held, Σ delta_granted = granted.
    """

    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="entries")
    reservation = models.ForeignKey(Reservation, models.PROTECT, null=True, related_name="entries")
    grant = models.ForeignKey(Grant, models.PROTECT, null=True, related_name="+")
    quota = models.ForeignKey(Quota, models.PROTECT, null=True, related_name="+", help_text=_("The rule in force."))
    kind = models.CharField(max_length=10, choices=EntryKind)
    delta_used = models.BigIntegerField(default=0)
    delta_held = models.BigIntegerField(default=0)
    delta_granted = models.BigIntegerField(default=0)
    used_after = models.BigIntegerField()
    held_after = models.BigIntegerField()
    granted_after = models.BigIntegerField()
    limit_then = models.BigIntegerField(null=True, help_text=_("The rule's limit, without grants; empty: unmetered."))
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=240, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "allowance", "kind"], name="movement_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["allowance", "-id"], name="entry_by_allowance")]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta_used:+d} {self.delta_held:+d}"

    @property
    def left_after(self) -> int | None:
        """What was left just after this movement; None when unmetered, never below 0 (D8)."""
        if self.limit_then is None:
            return None
        return max(0, self.limit_then + self.granted_after - self.used_after - self.held_after)
