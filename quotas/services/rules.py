"""The dated rules of how much: a change inserts a new row and ends the old one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.types import Role
from audit.services import record
from core import clock
from core.errors import InvalidRequest, NotFound
from core.text import one_line
from quotas.models import Quota
from quotas.resolution import PRODUCT_RULE, fits_period
from quotas.selectors import find_predecessor
from quotas.services.checks import check_amount, check_reason
from quotas.types import Period, Unit
from quotas.wording import check_scope

# All but what was withdrawn or replaced before it began.
HELD_EVER = Q(ends_at=None) | Q(ends_at__gt=F("starts_at"))

END_FIELDS = ["ends_at", "ended_by", "end_reason", "end_decided_at"]


def set_quota(
    *,
    limit: int | None,
    unit: Unit = Unit.PROMPTS,
    period: Period = Period.MONTH,
    role: Role | str = "",
    user_id: int | None = None,
    department_id: int | None = None,
    course_id: int | None = None,
    scope: str = "",
    starts_at: datetime | None = None,
    by_id: int | None = None,
    reason: str = "",
) -> Quota:
    """Put a rule in force from now on or from `starts_at`, in place of the one of the same kind for the same people.

    What people have used stays as it is (D8). A rule that says the same already is left alone. A later change that is
    scheduled already stays.

    Args:
        limit: in `unit`s per window; None means unmetered, 0 means nothing at all.
        role, department_id: whom it is for; both mean that role in that department, neither means everyone.
        course_id: the people of one course; stands alone.
        user_id: one person; stands alone.
        starts_at: an instant to come; None means at once.

    Raises:
        InvalidRequest: a value is out of range, or someone changed the same rule in the same moment.
    """
    at = clock.now()
    if limit is not None:
        check_amount(limit, least=0, param="limit")
    if not fits_period(unit, period):
        raise InvalidRequest(_("This unit is not counted over this period."), param="period")
    scope = check_scope(scope)
    if [user_id is not None, course_id is not None, bool(role) or department_id is not None].count(True) > 1:
        raise InvalidRequest(
            _("A rule for one person or one course names neither a role nor a department."),
            param="user" if user_id is not None else "course",
        )
    if starts_at is not None and starts_at < at:
        raise InvalidRequest(_("A rule begins now or later, never in the past."), param="starts_at")
    key: dict[str, Any] = {"unit": unit, "period": period, "scope": scope, "role": role}
    key |= {"user_id": user_id, "department_id": department_id, "course_id": course_id}
    reason = one_line(reason, longest=240)
    try:
        with transaction.atomic():
            return _replace_quota(key, limit=limit, starts_at=starts_at or at, at=at, by_id=by_id, reason=reason)
    except IntegrityError as error:
        raise InvalidRequest(
            _("This rule was changed by someone else in the same moment, or its person or department is gone.")
        ) from error


def _replace_quota(
    key: Mapping[str, Any], *, limit: int | None, starts_at: datetime, at: datetime, by_id: int | None, reason: str
) -> Quota:
    rules = Quota.objects.select_for_update().filter(**key).filter(HELD_EVER).order_by("starts_at")
    before, after = around(rules.filter(Q(ends_at=None) | Q(ends_at__gt=starts_at)), starts_at)
    if before is not None:
        if before.limit == limit:
            return before
        _end_quota(before, ends_at=starts_at, at=at, by_id=by_id, reason=reason)
    ends_at = after.starts_at if after else None
    rule = Quota.objects.create(
        **key, limit=limit, starts_at=starts_at, ends_at=ends_at, created_by_id=by_id, created_at=at, reason=reason
    )
    changes = {"limit": [before.limit if before else None, limit], "starts_at": [None, starts_at]}
    record("quota.set", subject=f"quota/{rule.pk}", name=rule.name, changes=changes, reason=reason)
    return rule


@transaction.atomic
def withdraw_quota(*, quota_id: int, by_id: int | None, reason: str) -> Quota:
    """End a rule without a successor: the next less specific one holds from now on.

    One that has not begun never does, and what was to end for it goes on.

    Raises:
        NotFound: there is no such rule in force or to come.
        InvalidRequest: no reason is given.
    """
    at = clock.now()
    reason = check_reason(reason)
    alive = Q(ends_at=None) | Q(ends_at__gt=at)
    rule = Quota.objects.select_for_update().filter(HELD_EVER).filter(alive, pk=quota_id).first()
    if rule is None:
        raise NotFound(_("There is no such rule in force. It may have been changed since you opened the page."))
    ends_at = rule.ends_at
    _end_quota(rule, ends_at=max(at, rule.starts_at), at=at, by_id=by_id, reason=reason)
    if rule.starts_at > at and (before := find_predecessor(rule)):
        before.ends_at, before.ended_by, before.end_reason, before.end_decided_at = ends_at, None, "", None
        before.save(update_fields=END_FIELDS)
    changes = {"ends_at": [ends_at, rule.ends_at]}
    record("quota.withdraw", subject=f"quota/{rule.pk}", name=rule.name, changes=changes, reason=reason)
    return rule


@transaction.atomic
def undo_change(*, quota_id: int, by_id: int | None) -> Quota:
    """Take back the change that made this rule: what held before it holds again from now on.

    Raises:
        NotFound: the rule is not in force any more, nor to come.
    """
    rule = Quota.objects.filter(pk=quota_id).first()
    before = find_predecessor(rule) if rule else None
    reason = _("Undone.")
    if rule is None or before is None or rule.starts_at > clock.now():
        return withdraw_quota(quota_id=quota_id, by_id=by_id, reason=reason)
    if rule.ends_at is not None and rule.ends_at <= clock.now():
        raise NotFound(_("There is no such rule in force. It may have been changed since you opened the page."))
    role, department_id, course_id, user_id = rule.who
    unit, period, scope = rule.kind
    return set_quota(
        limit=before.limit,
        unit=unit,
        period=period,
        scope=scope,
        role=role,
        department_id=department_id,
        course_id=course_id,
        user_id=user_id,
        by_id=by_id,
        reason=reason,
    )


def install_default_quota() -> None:
    """Write down the product's own rule, so that it can be seen and changed, where no rule was ever written."""
    if not Quota.objects.exists():
        rule = PRODUCT_RULE
        set_quota(limit=rule.limit, unit=rule.unit, period=rule.period, reason=_("The first rule."))


def around(rules: Iterable[Quota], at: datetime) -> tuple[Quota | None, Quota | None]:
    """Of rules of one kind for the same people, in order of time: the one that holds `at`, and the next to come."""
    touched = [rule for rule in rules if rule.ends_at is None or rule.ends_at > at]
    before = next((rule for rule in touched if rule.starts_at <= at), None)
    return before, next((rule for rule in touched if rule.starts_at > at), None)


def end_at(rule: Quota, *, ends_at: datetime, at: datetime, by_id: int | None, reason: str) -> None:
    """Write into a rule, not yet into the database, that it ends."""
    rule.ends_at, rule.ended_by_id, rule.end_reason, rule.end_decided_at = ends_at, by_id, reason, at


def _end_quota(rule: Quota, *, ends_at: datetime, at: datetime, by_id: int | None, reason: str) -> None:
    end_at(rule, ends_at=ends_at, at=at, by_id=by_id, reason=reason)
    rule.save(update_fields=END_FIELDS)
