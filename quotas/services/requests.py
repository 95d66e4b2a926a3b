"""More, when justified: somebody asks, an instructor or administrator gives a part or refuses with a sentence."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.types import Principal, Role
from audit.services import differences, record
from core import clock
from core.errors import InvalidRequest, NotFound
from core.text import one_line
from courses.models import Course, Enrollment
from quotas.errors import OverApproverLimit
from quotas.models import ApproverLimit, Grant, Request
from quotas.selectors import get_decidable_request, list_given_by_instructors
from quotas.services.checks import check_amount, check_reason
from quotas.services.grants import grant, grant_to_many
from quotas.types import LEDGER_UNITS, Period, RequestState, Unit
from quotas.windows import window_of
from quotas.wording import write_quantity


@transaction.atomic
def ask(*, principal: Principal, unit: Unit, amount: int, reason: str, course_id: int | None = None) -> Request:
    """Ask for more units, in a course one is enrolled in or for oneself.

    Raises:
        InvalidRequest: the amount or the reason is missing or out of range, the course is not one's own, or the same
            was asked already and waits.
    """
    check_amount(amount, least=1, param="amount")
    reason = one_line(reason, longest=500)
    if not reason:
        raise InvalidRequest(_("Write what you need it for. Whoever decides reads nothing else."), param="reason")
    if unit not in LEDGER_UNITS:
        raise InvalidRequest(_("Only prompts, tokens and money can be granted."), param="unit")
    mine = Enrollment.objects.filter(user=principal.user_id, course=course_id)
    if course_id is not None and not mine.exists():
        raise InvalidRequest(_("You are not in this course."), param="course")
    try:
        with transaction.atomic():
            return Request.objects.create(
                user_id=principal.user_id, course_id=course_id, unit=unit, amount=amount, reason=reason
            )
    except IntegrityError as error:
        raise InvalidRequest(_("You have asked for this already, and the answer is to come.")) from error


def withdraw_request(*, principal: Principal, request_id: int) -> None:
    """Take one's own open request back.

    Raises:
        NotFound: there is none, or it is decided.
    """
    mine = Request.objects.filter(pk=request_id, user=principal.user_id, state=RequestState.OPEN)
    if mine.update(state=RequestState.WITHDRAWN, decided_at=clock.now()) != 1:
        raise NotFound(_("There is no such request of yours. It may have been decided in the meantime."))


@transaction.atomic
def grant_request(
    *, principal: Principal, request_id: int, amount: int, answer: str = "", expires_at: datetime | None = None
) -> Request:
    """Give what was asked, or a part of it.

    Args:
        expires_at: when what is left of it lapses; None: at the end of the course, or of the month without one.

    Raises:
        InvalidRequest: the amount is out of range or more than was asked, or the end is past.
        NotFound: there is no such request for this person to decide, or it is decided.
        OverApproverLimit: an instructor would give more than instructors may.
    """
    asked = get_decidable_request(principal, request_id, lock=True)
    if not 1 <= amount <= asked.amount:
        most = write_quantity(Unit(asked.unit), asked.amount)
        raise InvalidRequest(_("Give what was asked, %(most)s, or a part of it.") % {"most": most}, param="amount")
    unit = Unit(asked.unit)
    check_approver(principal, unit=unit, amount=amount, course=asked.course)
    reason = one_line(asked.reason, longest=240)
    asked.grant = grant(
        user_id=asked.user_id,
        amount=amount,
        unit=unit,
        reason=reason,
        by_id=principal.user_id,
        expires_at=expires_at or end_of_grants(asked.course),
        course_id=asked.course_id,
    )
    return _decide(asked, RequestState.GRANTED, principal, answer)


@transaction.atomic
def refuse_request(*, principal: Principal, request_id: int, answer: str) -> Request:
    """Refuse, with the sentence the person will read.

    Raises:
        InvalidRequest: no sentence is given.
        NotFound: there is no such request for this person to decide, or it is decided.
    """
    asked = get_decidable_request(principal, request_id, lock=True)
    if not one_line(answer):
        raise InvalidRequest(_("Write the sentence the person will read."), param="answer")
    return _decide(asked, RequestState.REFUSED, principal, answer)


@transaction.atomic
def grant_to_course(
    *,
    principal: Principal,
    course: Course,
    amount: int,
    reason: str,
    unit: Unit = Unit.PROMPTS,
    expires_at: datetime | None = None,
) -> list[Grant]:
    """Give everyone enrolled in the course as a student `amount` units.

    Raises:
        InvalidRequest: the amount, the reason or the end is missing or out of range, or nobody is enrolled.
        OverApproverLimit: an instructor would give more than instructors may.
    """
    reason = check_reason(reason)
    students = list(Enrollment.objects.filter(course=course, role="student").values_list("user", flat=True))
    if not students:
        raise InvalidRequest(_("Nobody is enrolled in %(course)s as a student.") % {"course": course.code})
    check_approver(principal, unit=unit, amount=amount, course=course, people=len(students))
    return grant_to_many(
        user_ids=students,
        amount=amount,
        reason=reason,
        by_id=principal.user_id,
        unit=unit,
        expires_at=expires_at or end_of_grants(course),
        course_id=course.pk,
        subject=f"course/{course.pk}",
    )


@transaction.atomic
def set_approver_limit(*, unit: Unit, at_once: int, a_month: int) -> ApproverLimit:
    """How much an instructor may give of a unit: to one person at once, and in a course and month in all.

    Raises:
        InvalidRequest: an amount is out of range.
    """
    check_amount(at_once, least=0, param="at_once")
    check_amount(a_month, least=0, param="a_month")
    before: dict[str, int] = ApproverLimit.objects.filter(unit=unit).values("at_once", "a_month").first() or {}  # type: ignore[assignment]
    after = {"at_once": at_once, "a_month": a_month}
    limit, _created = ApproverLimit.objects.update_or_create(unit=unit, defaults=after)
    record("approvers.limit", subject=f"unit/{unit}", changes=differences(before, after))
    return limit


def check_approver(principal: Principal, *, unit: Unit, amount: int, course: Course | None, people: int = 1) -> None:
    """Refuse what an instructor may not give; administrators are not bound. Locks the limit: sums do not race.

    Raises:
        OverApproverLimit: it is more than instructors may give at once, or together in this course and month.
    """
    if principal.role == Role.ADMIN:
        return
    limit = ApproverLimit.objects.select_for_update().filter(unit=unit).first()
    most = limit.at_once if limit else 0
    if limit is None or amount > most:
        raise OverApproverLimit(
            _("You may give at most %(most)s to one person at once. Ask an administrator for more.")
            % {"most": write_quantity(unit, most)},
            param="amount",
        )
    month = window_of(Period.MONTH, clock.now())
    given = list_given_by_instructors(course, unit=unit, since=month.starts_at)
    left = limit.a_month - (given.aggregate(sum=Sum("amount"))["sum"] or 0)
    if amount * people > left:
        raise OverApproverLimit(
            _("In this course you may give %(left)s more this month. Ask an administrator for more.")
            % {"left": write_quantity(unit, max(0, left))},
            param="amount",
        )


def end_of_grants(course: Course | None) -> datetime:
    """When a grant ends if nobody says: with the course, or with the month."""
    at = clock.now()
    if course is not None and (ends_at := clock.start_of(course.ends_on + timedelta(days=1))) > at:
        return ends_at
    return clock.start_of(clock.next_month(clock.local_day(at).replace(day=1)))


def _decide(asked: Request, state: RequestState, principal: Principal, answer: str) -> Request:
    asked.state, asked.answer = state, one_line(answer, longest=240)
    asked.decided_by_id, asked.decided_at = principal.user_id, clock.now()
    asked.save(update_fields=["state", "answer", "decided_by", "decided_at", "grant"])
    changes = {"state": [RequestState.OPEN, state], "amount": [asked.amount, asked.grant.amount if asked.grant else 0]}
    record("request.decide", subject=f"request/{asked.pk}", name=asked.user.email, changes=changes, reason=answer)
    return asked
