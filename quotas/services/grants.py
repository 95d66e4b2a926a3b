"""Extra units beyond the rules, given by someone for a reason, and their end."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.types import Principal, Role
from audit.services import record
from core import clock
from core.errors import InvalidRequest, NotFound
from quotas.models import Allowance, Grant, LedgerEntry
from quotas.resolution import Rule
from quotas.selectors import list_rules
from quotas.services.books import entry_of, lock_allowances
from quotas.services.checks import check_amount, check_reason
from quotas.types import LEDGER_UNITS, EntryKind, Period, Purse, Unit
from quotas.windows import BEGINNING
from quotas.wording import check_scope


@transaction.atomic
def grant(
    *,
    user_id: int,
    amount: int,
    reason: str,
    by_id: int | None,
    unit: Unit = Unit.PROMPTS,
    period: Period = Period.MONTH,
    scope: str = "",
    expires_at: datetime | None = None,
    course_id: int | None = None,
) -> Grant:
    """Give a person extra units: in the present window of one kind of quota, or until a day of their own.

    Args:
        period: of the kind; without meaning for a grant with an end of its own.
        expires_at: when what is left of it lapses; None: with the present window.
        course_id: the course it is for, if any; it may be spent outside it.

    Raises:
        InvalidRequest: the amount, the reason or the end is missing or out of range, or the scope names nothing.
        NotFound: there is no such person.
    """
    check_amount(amount, least=1, param="amount")
    scope = check_scope(scope)
    reason = check_reason(reason)
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("There is no such person."))
    if expires_at is not None:
        (given,) = grant_to_many(
            user_ids=[user_id],
            amount=amount,
            reason=reason,
            by_id=by_id,
            unit=unit,
            scope=scope,
            expires_at=expires_at,
            course_id=course_id,
            subject=f"person/{user_id}",
        )
        return given
    at = clock.now()
    kind = (unit, period, scope)
    principal = Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id)
    rule = next((rule for rule in list_rules(principal, at=at) if rule.kind == kind), None)
    (allowance,) = lock_allowances(user_id, [kind], at)
    (given,) = book_grants(
        {allowance.pk: allowance}, amount=amount, reason=reason, by_id=by_id, at=at, course_id=course_id, rule=rule
    )
    record("quota.grant", subject=f"person/{user.pk}", name=user.email, changes={unit: [None, amount]}, reason=reason)
    return given


@transaction.atomic
def grant_to_many(
    *,
    user_ids: Collection[int],
    amount: int,
    reason: str,
    by_id: int | None,
    expires_at: datetime,
    unit: Unit = Unit.PROMPTS,
    scope: str = "",
    course_id: int | None = None,
    subject: str = "people",
) -> list[Grant]:
    """Give each of these people `amount` units until `expires_at`. A constant number of statements.

    Args:
        subject: for the audit log: to whom, as `kind/id`.

    Raises:
        InvalidRequest: the amount, the reason or the end is missing or out of range.
    """
    at = clock.now()
    check_amount(amount, least=1, param="amount")
    reason = check_reason(reason)
    if unit not in LEDGER_UNITS:
        raise InvalidRequest(_("Only prompts, tokens and money can be granted."), param="unit")
    if expires_at <= at:
        raise InvalidRequest(_("A grant ends on a day to come."), param="expires_at")
    purses = _lock_purses(user_ids, Purse.GRANT, unit=unit, scope=scope, expires_at=expires_at)
    given = book_grants(purses, amount=amount, reason=reason, by_id=by_id, at=at, course_id=course_id)
    changes = {"people": [None, len(purses)], unit: [None, amount], "expires_at": [None, expires_at]}
    record("quota.grant", subject=subject, changes=changes, reason=reason)
    return given


def book_purchase(*, user_id: int, unit: Unit, amount: int, reason: str) -> Grant:
    """Put bought units into the person's purse of such units, which never lapse. Joins the caller's transaction."""
    purses = _lock_purses([user_id], Purse.PURCHASED, unit=unit, scope="", expires_at=None)
    (given,) = book_grants(purses, amount=amount, reason=reason, by_id=None, at=clock.now())
    return given


def book_grants(
    purses: Mapping[int, Allowance],
    *,
    amount: int,
    reason: str,
    by_id: int | None,
    at: datetime,
    course_id: int | None = None,
    rule: Rule | None = None,
) -> list[Grant]:
    """Add `amount` to each of these locked purses, with its grant and its entry.

    Args:
        rule: the rule whose window the purse is of, if it is one.
    """
    grants = Grant.objects.bulk_create(
        Grant(allowance=purse, amount=amount, reason=reason, granted_by_id=by_id, at=at, course_id=course_id)
        for purse in purses.values()
    )
    Allowance.objects.filter(pk__in=purses).update(granted=F("granted") + amount)
    entries = []
    for given in grants:
        purse = given.allowance
        purse.granted += amount
        entry = entry_of(purse, EntryKind.GRANT, at, granted=amount)
        entry.grant, entry.actor_id, entry.reason = given, by_id, reason
        if purse.purse == Purse.PERIOD:
            entry.quota_id, entry.limit_then = (rule.id, rule.limit) if rule else (None, None)
        else:
            entry.limit_then = 0
        entries.append(entry)
    LedgerEntry.objects.bulk_create(entries)
    return grants


def lapse_grants(*, limit: int = 500) -> int:
    """Write off what is left of grants whose end has come; how many. What a call still holds stays until it ends.

    Nobody can spend them after their end anyway; this is for the books and the statement. May run anywhere, any time.
    """
    at = clock.now()
    over = Allowance.objects.filter(purse=Purse.GRANT, expires_at__lte=at, granted__gt=F("used") + F("held"))
    lapsed = 0
    for pk in over.order_by("expires_at").values_list("pk", flat=True)[:limit]:
        with transaction.atomic():
            purse = over.select_for_update().filter(pk=pk).order_by("id").first()
            if purse is None:
                continue
            left = purse.granted - purse.used - purse.held
            Allowance.objects.filter(pk=pk).update(granted=F("granted") - left)
            purse.granted -= left
            entry = entry_of(purse, EntryKind.LAPSE, at, granted=-left)
            entry.limit_then = 0
            entry.save()
            lapsed += 1
    return lapsed


def _lock_purses(
    user_ids: Collection[int], purse: Purse, *, unit: Unit, scope: str, expires_at: datetime | None
) -> dict[int, Allowance]:
    """These people's purses with this end, made where missing, locked in order of id."""
    kind = {"purse": purse, "unit": unit, "scope": scope, "expires_at": expires_at}
    Allowance.objects.bulk_create(
        [
            Allowance(user_id=user_id, period=Period.ONCE, window_start=BEGINNING, **kind)
            for user_id in sorted(set(user_ids))
        ],
        ignore_conflicts=True,
    )
    locked = Allowance.objects.select_for_update().filter(**kind, user__in=user_ids).order_by("id")
    return {row.pk: row for row in locked}
