"""The order of the decisions about a call, and nothing else. Synchronous: one hop in front of the bytes, one behind.

D10: authenticate, account state, clause, input, model and course rule, attempts, quota, dispatch. What these functions
commit is what a crash leaves behind, so each of them may run again without harm.
"""

import logging
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.types import Principal, Role
from core import clock, limiter
from core.errors import InvalidRequest, RateLimited, Refusal
from core.types import Operation, Via
from courses.models import Course
from courses.selectors import find_course_of
from gateway import idempotency
from gateway.errors import ModelNotFound
from gateway.selectors import find_target
from gateway.types import Admission, Call, Ending
from policies.errors import PolicyRefused
from policies.services import check_acknowledged
from quotas import services as quotas
from quotas.selectors import count_open, list_expired
from quotas.types import Unit
from usage.services import record_usage
from usage.types import Outcome

logger = logging.getLogger(__name__)

# What the person is not made to pay for.
_GIVEN_BACK = (Outcome.UPSTREAM_FAILED, Outcome.LOST)


def admit_unread(principal: Principal, read: Callable[[], Call]) -> Admission:
    """The same as `admit` for a body nobody has looked into: who has a clause outstanding is told that first (D10).

    Raises:
        Refusal, InvalidRequest, ModelNotFound: the first check that fails; nothing is held.
    """
    check_acknowledged(user_id=principal.user_id)
    return _admit(principal, read())


def admit(principal: Principal, call: Call) -> Admission:
    """Let a call pass every check and make its row durable, so that its first byte may go upstream (C01).

    Raises:
        Refusal, InvalidRequest, ModelNotFound: the first check that fails; nothing is held, and a refusal is recorded.
    """
    check_acknowledged(user_id=principal.user_id)
    return _admit(principal, call)


def settle(admission: Admission) -> None:
    """The first content has arrived: the prompt is used (D2)."""
    quotas.settle(call_id=admission.call.id)


def conclude(admission: Admission, ending: Ending) -> None:
    """End the call: the ledger by who broke it, the record by what happened. The second time does nothing."""
    call = admission.call
    with transaction.atomic():
        prompts = _end_reservation(admission, ending)
        record_usage(
            call_id=call.id,
            principal=admission.principal,
            course_id=admission.course_id,
            via=call.via,
            operation=call.operation,
            model=call.model,
            provider=admission.target.provider,
            outcome=ending.outcome,
            code=ending.code,
            prompts=prompts,
            totals=ending.totals,
            started_at=admission.admitted_at,
            first_content_at=ending.first_content_at,
        )


def sweep() -> int:
    """End the calls whose process died (D5) and record them as lost; how many. Any number of sweepers may run."""
    idempotency.purge()
    ended = sum(_sweep_one(call_id) for call_id in list_expired(limit=500))
    if ended:
        logger.warning("Swept %d calls that nobody finished.", ended)
    return ended


def _admit(principal: Principal, call: Call) -> Admission:
    course: Course | None = None
    try:
        target = find_target(principal, call.model, call.operation)
        if call.operation == Operation.CHAT and call.count > 1 and not target.allows_many:
            raise InvalidRequest(_("This model gives one choice per call. Leave out n, or set it to 1."), param="n")
        course = _find_course(principal, call)
        attempts = limiter.check_attempts(user_id=principal.user_id)
        prompts = target.prompt_weight * call.count
        with transaction.atomic():
            reserved = quotas.reserve(
                call_id=call.id,
                principal=principal,
                amounts={Unit.PROMPTS: prompts},
                operation=call.operation,
                model=call.model,
                course_code=course.code if course else "",
                via=call.via,
            )
            _check_parallel(principal)
            quotas.dispatch(call_id=call.id)
    except (Refusal, ModelNotFound) as refusal:
        _record_refusal(principal, call, course, refusal.code)
        raise
    return Admission(
        principal=principal,
        call=call,
        target=target,
        course_id=course.id if course else None,
        prompts=prompts,
        standings=reserved.standings,
        admitted_at=clock.now(),
        attempts=attempts,
    )


def _find_course(principal: Principal, call: Call) -> Course | None:
    """The course a call is tagged with: the key's own, or one the person is in."""
    code = principal.course_code or call.course_code
    if not code:
        return None
    if call.course_code not in ("", code):
        raise PolicyRefused(_("This key belongs to the course %(code)s.") % {"code": code}, param="X-Course")
    course = find_course_of(user_id=principal.user_id, code=code)
    if course is None:
        raise PolicyRefused(_("You are not in the course %(code)s. Nothing was charged.") % {"code": code})
    return course


def _check_parallel(principal: Principal) -> None:
    """At most MAX_PARALLEL_CALLS at once (AB4); exact, because the reservation just made counts and holds its lock."""
    most = settings.MAX_PARALLEL_CALLS
    if most and count_open(principal.user_id) > most:
        raise RateLimited(
            _("You have %(count)d calls running. Wait until one has ended. Nothing was charged.") % {"count": most},
            retry_after=2,
        )


def _end_reservation(admission: Admission, ending: Ending) -> int:
    """Move the reservation to its end; how many prompts the call cost."""
    call_id, prompts = admission.call.id, admission.prompts
    if ending.outcome in _GIVEN_BACK:
        given_back = quotas.release(call_id=call_id) or quotas.reverse(call_id=call_id)
        return 0 if given_back else prompts
    if admission.call.operation == Operation.IMAGE and ending.outcome == Outcome.SERVED:
        # Two of three images delivered cost two (C39).
        prompts = min(prompts, admission.target.prompt_weight * ending.totals.images)
    quotas.settle(call_id=call_id, amounts={Unit.PROMPTS: prompts})
    quotas.close(call_id=call_id)
    return prompts


def _record_refusal(principal: Principal, call: Call, course: Course | None, code: str) -> None:
    record_usage(
        call_id=call.id,
        principal=principal,
        course_id=course.id if course else None,
        via=call.via,
        operation=call.operation,
        model=call.model,
        provider="",
        outcome=Outcome.REFUSED,
        code=code,
        started_at=clock.now(),
    )


@transaction.atomic
def _sweep_one(call_id: UUID) -> bool:
    """End one call and record it in the same transaction; False when another sweeper did, or it is alive again."""
    reservation = quotas.expire(call_id=call_id)
    if reservation is None:
        return False
    person = reservation.user
    course = find_course_of(user_id=person.id, code=reservation.course_code) if reservation.course_code else None
    used = reservation.entries.filter(allowance__unit=Unit.PROMPTS).aggregate(prompts=Sum("delta_used"))["prompts"]
    record_usage(
        call_id=call_id,
        principal=Principal(person.id, Role(person.role), person.department_id, reservation.key_id),
        course_id=course.id if course else None,
        via=Via(reservation.via),
        operation=Operation(reservation.operation),
        model=reservation.model,
        provider="",
        outcome=Outcome.LOST,
        prompts=used or 0,
        started_at=reservation.created_at,
        first_content_at=reservation.settled_at,
    )
    return True
