"""The rules of how much, and the ledger that proves it.

Quota          the rule: so many units per period for everyone, a role, a department, a course or a person
Pool           a course's own units, and what happens when they are gone
Allowance      a purse: what was used and is held of a rule's window, a grant, a purchase or a pool
Reservation    units held for one call, and what became of them
LedgerEntry    every movement, append-only; its sums are the counters of Allowance
Grant          extra units in one purse, given by someone for a reason
Request        a person's wish for more, and what was decided about it
ApproverLimit  how much an instructor may give
Offer          what may be bought; Purchase: that somebody bought it
Warned         that somebody was told of a window nearly or wholly used
"""

from typing import ClassVar
from uuid import uuid4

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
from courses.models import Course
from quotas.resolution import Pool as PoolRule
from quotas.resolution import Rule
from quotas.types import (
    LARGEST_AMOUNT,
    LEDGER_PERIODS,
    LEDGER_UNITS,
    LONGEST_SCOPE,
    OPEN_STATES,
    EntryKind,
    Kind,
    Period,
    PurchaseState,
    Purse,
    RequestState,
    State,
    Subject,
    Unit,
    WhenEmpty,
)

_LEDGER_UNITS = [(unit.value, unit.label) for unit in LEDGER_UNITS]
_LEDGER_PERIODS = [(period.value, period.label) for period in LEDGER_PERIODS]


class Quota(models.Model):
    """A dated rule. A change inserts a new row and ends the old one, so old statements keep the rule of their day.

    Of the rules of the same unit, period and scope the most specific wins (D12): person, then course, then department,
    then role, then everyone. A rule that was withdrawn before it began ends where it starts.
    """

    unit = models.CharField(_("unit"), max_length=8, choices=Unit, default=Unit.PROMPTS)
    period = models.CharField(_("period"), max_length=8, choices=Period, default=Period.MONTH)
    scope = models.CharField(
        _("covers"),
        max_length=LONGEST_SCOPE,
        blank=True,
        help_text=_("Empty: everything. Or an operation, or model:NAME."),
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
    course = models.ForeignKey(
        Course, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("course")
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
    end_decided_at = models.DateTimeField(null=True, editable=False)

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
                Coalesce("course", 0),
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
    def plain(self) -> Rule:
        """The row as a value: what decides about calls reads nothing else of it."""
        return Rule(
            unit=Unit(self.unit),
            period=Period(self.period),
            limit=self.limit,
            scope=self.scope,
            role=self.role,
            department_id=self.department_id,
            course_id=self.course_id,
            user_id=self.user_id,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            id=self.pk,
        )

    @property
    def name(self) -> str:
        """The rule in words, such as “20 prompts per month”, in the reader's language."""
        return self.plain.name

    @property
    def kind(self) -> Kind:
        """What the rule counts."""
        return self.plain.kind

    @property
    def subject(self) -> Subject:
        """Whom the rule speaks of."""
        return self.plain.subject

    @property
    def who(self) -> tuple[str, int | None, int | None, int | None]:
        """Whom the rule is for, as a key: role, department, course, person."""
        return self.role, self.department_id, self.course_id, self.user_id


class Pool(models.Model):
    """A course's own units. How many there are stands in its allowance; rules of its scope cap each student's part."""

    course = models.OneToOneField(Course, models.PROTECT, related_name="+", verbose_name=_("course"))
    unit = models.CharField(_("unit"), max_length=8, choices=_LEDGER_UNITS, default=Unit.PROMPTS)
    when_empty = models.CharField(_("when it is empty"), max_length=8, choices=WhenEmpty, default=WhenEmpty.PERSONAL)
    is_open = models.BooleanField(_("open"), default=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False
    )
    changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("course",)
        verbose_name = _("course pool")
        verbose_name_plural = _("course pools")

    def __str__(self) -> str:
        return str(self.course)

    @property
    def plain(self) -> PoolRule:
        """The row as a value."""
        return PoolRule(self.course_id, self.course.code, Unit(self.unit), WhenEmpty(self.when_empty))


class Allowance(models.Model):
    """The counters of one purse. Changed only by conditional updates in quotas.services.

    A period's purse is one person's, of one kind in one window: the rule's limit and what was `granted` for the window.
    The others hold only what was granted and fit no period: theirs is ONCE. A pool is a course's, and nobody's.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+")
    purse = models.CharField(max_length=9, choices=Purse, default=Purse.PERIOD)
    unit = models.CharField(max_length=8, choices=_LEDGER_UNITS)
    period = models.CharField(max_length=8, choices=_LEDGER_PERIODS)
    scope = models.CharField(max_length=LONGEST_SCOPE, blank=True)
    window_start = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    granted = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-window_start", "user")
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "unit", "period", "scope", "window_start"],
                condition=Q(purse=Purse.PERIOD),
                name="allowance_once",
            ),
            models.UniqueConstraint(
                fields=["user", "unit", "scope", "expires_at"], condition=Q(purse=Purse.GRANT), name="grant_purse_once"
            ),
            models.UniqueConstraint(
                fields=["user", "unit", "scope"], condition=Q(purse=Purse.PURCHASED), name="purchased_purse_once"
            ),
            models.UniqueConstraint(fields=["course", "unit"], condition=Q(purse=Purse.POOL), name="pool_once"),
            models.CheckConstraint(
                condition=Q(purse=Purse.POOL, user=None, course__isnull=False)
                | (~Q(purse=Purse.POOL) & Q(user__isnull=False, course=None)),
                name="allowance_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(purse=Purse.GRANT, expires_at__isnull=False) | (~Q(purse=Purse.GRANT) & Q(expires_at=None)),
                name="only_grants_expire",
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0, held__gte=0, granted__gte=0), name="allowance_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.course} {self.unit} {self.window_start:%Y-%m-%d}: {self.used}+{self.held}"

    @property
    def kind(self) -> Kind:
        """What is counted here."""
        return Unit(self.unit), Period(self.period), self.scope


# SQL of the condition of Reservation's indexes of open ones, in words: with parameters in it SQLite would not see that
# a question is about those, and would read the whole table.
IS_OPEN = f"state in ({', '.join(repr(state.value) for state in OPEN_STATES)})"


class Reservation(models.Model):
    """The durable row of one call, committed before its first byte goes upstream (C01)."""

    call_id = models.UUIDField(primary_key=True)
    # Nobody asks for all calls of a person here: the usage record knows them.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.HELD)
    operation = models.CharField(max_length=16, choices=Operation)
    model = models.CharField(max_length=120)
    course_code = models.CharField(max_length=32, blank=True)
    via = models.CharField(max_length=8, choices=Via)
    # For the statement only: a key that is gone must not stand in the way of the books.
    key = models.ForeignKey(ApiKey, models.DO_NOTHING, null=True, db_constraint=False, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    is_estimated = models.BooleanField(
        default=False, help_text=_("The provider reported no figure: what was booked is an estimate.")
    )

    class Meta:
        ordering = ("-created_at",)
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        indexes: ClassVar = [
            # The sweeper reads all of it: calls that run are few.
            models.Index(
                fields=["user", "lease_until"],
                condition=Q(state__in=OPEN_STATES),
                name="reservation_open_user",
            ),
            models.Index(fields=["user", "ended_at"], condition=Q(state=State.REVERSED), name="reservation_reversed"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.state}"


class Grant(models.Model):
    """Extra units in one purse, given by someone for a reason."""

    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="grants")
    amount = models.PositiveBigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=240)
    course = models.ForeignKey(Course, models.PROTECT, null=True, related_name="+")
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

    # Without indexes of their own: `entry_by_allowance` and `movement_once` begin with the first two, and nearly all
    # entries are of calls, which have no grant and no actor, and so no line in the indexes of those.
    allowance = models.ForeignKey(Allowance, models.PROTECT, related_name="entries", db_index=False)
    reservation = models.ForeignKey(Reservation, models.PROTECT, null=True, related_name="entries", db_index=False)
    grant = models.ForeignKey(Grant, models.PROTECT, null=True, related_name="+", db_index=False)
    quota = models.ForeignKey(
        Quota, models.PROTECT, null=True, related_name="+", db_index=False, help_text=_("The rule in force.")
    )
    kind = models.CharField(max_length=10, choices=EntryKind)
    delta_used = models.BigIntegerField(default=0)
    delta_held = models.BigIntegerField(default=0)
    delta_granted = models.BigIntegerField(default=0)
    used_after = models.BigIntegerField()
    held_after = models.BigIntegerField()
    granted_after = models.BigIntegerField()
    limit_then = models.BigIntegerField(null=True, help_text=_("The rule's limit, without grants; empty: unmetered."))
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    reason = models.CharField(max_length=240, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "allowance", "kind"], name="movement_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["allowance", "-id"], name="entry_by_allowance"),
            models.Index(fields=["grant"], condition=Q(grant__isnull=False), name="entry_by_grant"),
            models.Index(fields=["actor"], condition=Q(actor__isnull=False), name="entry_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta_used:+d} {self.delta_held:+d}"

    @property
    def left_after(self) -> int | None:
        """What was left just after this movement; None when unmetered, never below 0 (D8)."""
        if self.limit_then is None:
            return None
        return max(0, self.limit_then + self.granted_after - self.used_after - self.held_after)


class Request(models.Model):
    """A person asks for more, with a reason; an instructor or administrator gives a part or refuses in a sentence."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, blank=True, related_name="+")
    unit = models.CharField(_("unit"), max_length=8, choices=_LEDGER_UNITS, default=Unit.PROMPTS)
    amount = models.PositiveBigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=500)
    state = models.CharField(_("state"), max_length=9, choices=RequestState, default=RequestState.OPEN)
    asked_at = models.DateTimeField(_("asked"), default=clock.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True)
    answer = models.CharField(_("answer"), max_length=240, blank=True)
    deciders_told_at = models.DateTimeField(null=True, editable=False)
    person_told_at = models.DateTimeField(null=True, editable=False)
    grant = models.OneToOneField(Grant, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("-asked_at", "-id")
        verbose_name = _("request for more")
        verbose_name_plural = _("requests for more")
        constraints: ClassVar = [
            models.UniqueConstraint(
                "user",
                "unit",
                Coalesce("course", 0),
                condition=Q(state=RequestState.OPEN),
                name="request_open_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "-asked_at"], name="request_by_state")]

    def __str__(self) -> str:
        return f"{self.user}: {self.amount} {self.unit}"


class ApproverLimit(models.Model):
    """How much an instructor may give in one unit; nothing of a unit without a row. Administrators are not bound."""

    unit = models.CharField(_("unit"), max_length=8, choices=_LEDGER_UNITS, unique=True)
    at_once = models.PositiveBigIntegerField(_("to one person at once"))
    a_month = models.PositiveBigIntegerField(_("in a course and month"))

    class Meta:
        ordering = ("unit",)
        verbose_name = _("limit of approvers")
        verbose_name_plural = _("limits of approvers")

    def __str__(self) -> str:
        return self.unit


class Offer(models.Model):
    """Units that people may buy, at a price in micro-units of the currency."""

    unit = models.CharField(_("unit"), max_length=8, choices=_LEDGER_UNITS, default=Unit.PROMPTS)
    amount = models.PositiveBigIntegerField(_("amount"))
    price_micro = models.PositiveBigIntegerField(_("price"))
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        ordering = ("unit", "amount")
        verbose_name = _("offer")
        verbose_name_plural = _("offers")

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"


class Purchase(models.Model):
    """Units somebody pays for. They are booked when the payment service says that it was paid, once."""

    reference = models.UUIDField(unique=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    unit = models.CharField(max_length=8, choices=_LEDGER_UNITS)
    amount = models.PositiveBigIntegerField()
    price_micro = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=6, choices=PurchaseState, default=PurchaseState.OPEN)
    opened_at = models.DateTimeField(default=clock.now)
    paid_at = models.DateTimeField(null=True)
    payment = models.CharField(max_length=120, blank=True, help_text=_("The payment service's own reference."))
    grant = models.OneToOneField(Grant, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("-opened_at", "-id")
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")

    def __str__(self) -> str:
        return str(self.reference)


class Warned(models.Model):
    """A person reached this share of a window; told once, on the page and by mail."""

    allowance = models.ForeignKey(Allowance, models.CASCADE, related_name="+")
    share = models.PositiveSmallIntegerField(help_text=_("Per cent."))
    at = models.DateTimeField(default=clock.now)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("warning")
        verbose_name_plural = _("warnings")
        constraints: ClassVar = [models.UniqueConstraint(fields=["allowance", "share"], name="warned_once")]
        indexes: ClassVar = [models.Index(fields=["id"], condition=Q(mailed_at=None), name="warned_to_mail")]

    def __str__(self) -> str:
        return f"{self.allowance_id}: {self.share} %"


class Watermark(models.Model):
    """How far a job has read the ledger."""

    job = models.CharField(max_length=40, primary_key=True)
    entry_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.job} {self.entry_id}"
