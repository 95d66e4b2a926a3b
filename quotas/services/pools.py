"""A course's own units: opened for a course, filled by grants, capped per student by a rule of its scope."""

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import differences, record
from core import clock
from core.errors import NotFound
from courses.models import Course
from quotas.models import Allowance, Grant, Pool
from quotas.selectors import find_rule
from quotas.services.checks import check_amount, check_reason
from quotas.services.grants import book_grants
from quotas.services.rules import set_quota, withdraw_quota
from quotas.types import POOL_SCOPE, Period, Purse, Unit, WhenEmpty
from quotas.windows import BEGINNING

_FIELDS = ("when_empty", "is_open")


@transaction.atomic
def set_pool(
    *,
    course_id: int,
    unit: Unit = Unit.PROMPTS,
    when_empty: WhenEmpty = WhenEmpty.PERSONAL,
    cap: int | None = None,
    is_open: bool = True,
    add: int = 0,
    reason: str = "",
    by_id: int | None,
) -> Pool:
    """Open a course's pool, or change how it works. Its unit stays as it was opened.

    Args:
        cap: what one student may take out of it in all; None: as much as there is.
        add: so many units are put into it, with the `reason`.

    Raises:
        InvalidRequest: the cap is out of range.
        NotFound: there is no such course.
    """
    course = Course.objects.select_for_update().filter(pk=course_id).first()
    if course is None:
        raise NotFound(_("There is no such course."))
    pool = Pool.objects.filter(course=course).first() or Pool(course=course, unit=unit)
    before: dict[str, object] = {name: getattr(pool, name) for name in _FIELDS} if pool.pk else {}
    pool.when_empty, pool.is_open = when_empty, is_open
    pool.changed_by_id, pool.changed_at = by_id, clock.now()
    pool.save()
    Allowance.objects.get_or_create(
        course=course, unit=pool.unit, purse=Purse.POOL,
        defaults={"period": Period.ONCE, "scope": POOL_SCOPE + course.code, "window_start": BEGINNING},
    )  # fmt: skip
    before["cap"] = _set_cap(pool, cap, by_id=by_id)
    after = {name: getattr(pool, name) for name in _FIELDS} | {"cap": cap}
    record("pool.set", subject=f"course/{course.pk}", name=course.code, changes=differences(before, after))
    if add:
        fill_pool(course_id=course_id, amount=add, reason=reason, by_id=by_id)
    return pool


@transaction.atomic
def fill_pool(*, course_id: int, amount: int, reason: str, by_id: int | None) -> Grant:
    """Add units to a course's pool.

    Raises:
        InvalidRequest: the amount or the reason is missing or out of range.
        NotFound: the course has no pool.
    """
    check_amount(amount, least=1, param="amount")
    reason = check_reason(reason)
    purse = Allowance.objects.select_for_update().filter(course=course_id, purse=Purse.POOL).order_by("id").first()
    if purse is None:
        raise NotFound(_("This course has no pool."))
    (given,) = book_grants({purse.pk: purse}, amount=amount, reason=reason, by_id=by_id, at=clock.now())
    record("pool.fill", subject=f"course/{course_id}", changes={purse.unit: [None, amount]}, reason=reason)
    return given


def _set_cap(pool: Pool, cap: int | None, *, by_id: int | None) -> int | None:
    """Put `cap` in force; what it was before."""
    kind = (Unit(pool.unit), Period.ONCE, POOL_SCOPE + pool.course.code)
    present = find_rule(kind=kind, course_id=pool.course_id)
    reason = _("The cap of the course's pool.")
    if cap is not None:
        set_quota(
            limit=cap, unit=kind[0], period=kind[1], scope=kind[2], course_id=pool.course_id, by_id=by_id, reason=reason
        )
    elif present is not None:
        withdraw_quota(quota_id=present.pk, by_id=by_id, reason=reason)
    return present.limit if present is not None else None
