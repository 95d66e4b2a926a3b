"""The order of the decisions about a call, and nothing else. Synchronous; one call alone, or many in one transaction.

D10: authenticate, account state, clause, input, model and course rule, attempts, quota, dispatch. What these functions
commit is what a crash leaves behind, so each of them may run again without harm.
"""

import logging
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.authentication import is_use_due, note_uses, principal_of_key
from accounts.keys import digest_of
from accounts.types import Principal, Role
from core import clock, limiter
from core.chosen import chosen
from core.errors import DomainError, Refusal
from core.types import Operation, Via
from courses.models import Course, Enrollment
from courses.selectors import find_course_of, find_place, list_exams_ahead
from courses.services import check_rules, check_running
from courses.types import Tag
from gateway import idempotency
from gateway.errors import IdempotencyInFlight, ModelNotFound
from gateway.prices import actual_amounts, bound_amounts, bounded, count_turns
from gateway.snapshot import NotRemembered, Snapshot
from gateway.types import Admission, Answer, Asking, Call, Ending, ExtraFields, Refused, Target
from policies.errors import PolicyRefused
from policies.services import check_acknowledged, check_open
from quotas.errors import QuotaExhausted, TooManyTurns
from quotas.models import Reservation
from quotas.resolution import Asked
from quotas.selectors import list_expired
from quotas.services import Batch, Wish, open_batch
from quotas.types import Unit
from usage.services import record_many
from usage.types import Outcome, Record, UsageSource

logger = logging.getLogger(__name__)

# What is held by an upper bound and settled at the provider's figure (D13).
_BOUNDED = {Unit.TOKENS, Unit.MONEY}
# What the person is not made to pay for.
_GIVEN_BACK = (Outcome.UPSTREAM_FAILED, Outcome.LOST)


def admit(principal: Principal, call: Call) -> Admission:
    """Let a call pass every check and make its row durable, so that its first byte may go upstream (C01).

    Raises:
        Refusal, InvalidRequest, ModelNotFound: the first check that fails; nothing is held, and a refusal is recorded.
    """
    case = Case(Asking(call.id, principal, lambda _extra_fields: call))
    write([case], Snapshot())
    if isinstance(case.outcome, Refused):
        raise case.outcome.error
    if not isinstance(case.outcome, Admission):
        raise TypeError
    return case.outcome


def settle(admission: Admission) -> None:
    """The first content has arrived: the prompt is used (D2)."""
    write([Settling(admission)], Snapshot())


def conclude(admission: Admission, ending: Ending) -> None:
    """End the call: the ledger by who broke it, the record by what happened. The second time does nothing."""
    write([Concluding(admission, ending)], Snapshot())


def withdraw(admission: Admission) -> None:
    """The person takes back a call that waited and was never sent: what it held is given back, the record says so."""
    _give_back(admission, _record_of(admission, Ending(Outcome.CLIENT_LEFT, "withdrawn"), prompts=0))


def check_still_welcome(admission: Admission) -> None:
    """A call that waited is about to be sent, and what was published meanwhile lets it: clauses (C26), rules, exams.

    Raises:
        Refusal: what the call held is given back, and the refusal recorded.
    """
    person, call = admission.principal, admission.call
    try:
        check_acknowledged(user_id=person.user_id)
        check_running(list_exams_ahead(person.user_id), at=clock.now())
        if tag := _tag_of(person, call):
            check_rules(place=_find_place(person, tag), tag=tag, operation=call.operation, model=call.model)
    except Refusal as refusal:
        at = admission.admitted_at
        _give_back(admission, _record_of_refusal(person, call, admission.course_id, refusal.code, at))
        raise


@dataclass(slots=True, eq=False)
class Settling:
    """A call whose first content has arrived."""

    admission: Admission


@dataclass(slots=True, eq=False)
class Concluding:
    """A call that is over."""

    admission: Admission
    ending: Ending


class _Passed(NamedTuple):
    """What is known of a call once every check but the quota's is passed."""

    principal: Principal
    call: Call
    target: Target
    course_id: int | None
    prompts: int


@dataclass(slots=True, eq=False)
class Case:
    """A request on its way through the decisions, in the context it came from: its language, its log lines.

    Args:
        asking: what came.
        digest: of the key that was shown; empty for a session.
        outcome: what became of it; to be believed once it is written.
    """

    asking: Asking
    digest: str = ""
    outcome: Admission | Answer | Refused | None = None
    principal: Principal | None = None
    wish: Wish | None = None
    record: Record | None = None
    used_key: int | None = None
    is_claimed: bool = False
    _context: Context = field(default_factory=copy_context)
    _body: tuple[dict[str, Collection[str]], Call | DomainError] | None = None
    _passed: _Passed | None = None
    _attempts: limiter.Attempts | None = None
    _is_counted: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.asking.credential, str):
            self.digest = digest_of(self.asking.credential)

    def read_ahead(self, snapshot: Snapshot) -> None:
        """Parse the body before it is this call's turn, if whoever sent it is known. Decides nothing, asks nobody."""
        if not self.digest or snapshot.knows_key(self.digest):
            try:
                self._parse(snapshot.peek_extra_fields)
            except NotRemembered:
                return

    def decide(self, snapshot: Snapshot) -> None:
        """Take every decision but the quota's. A second time takes them anew, and counts nothing twice."""
        self.outcome = self.wish = self.record = self.used_key = self._passed = None
        try:
            self._context.run(self._pass, snapshot)
        except DomainError as error:
            attempts = error.attempts if isinstance(error, limiter.TooManyAttempts) else self._attempts
            # Its traceback would hold the frames that hold this case.
            self.outcome = Refused(error.with_traceback(None), attempts=attempts)

    def reserve(self, batch: Batch) -> None:
        """The last decision: is there room?"""
        if self.wish is None or self._passed is None:
            return
        person, call, _target, course_id, _prompts = self._passed
        try:
            reserved = self._context.run(batch.reserve, self.wish)
        except Refusal as refusal:
            self.record = _record_of_refusal(person, call, course_id, refusal.code, batch.at)
            full = (refusal.standing,) if isinstance(refusal, QuotaExhausted) else ()
            standings = tuple(standing for standing in full if standing.unit == Unit.PROMPTS)
            self.outcome = Refused(refusal.with_traceback(None), standings, self._attempts)
        else:
            self.outcome = Admission(*self._passed, reserved.standings, batch.at, self._attempts)

    def lose_claim(self) -> None:
        """Another call answers under the key."""
        self.wish = None
        self.outcome = Refused(IdempotencyInFlight())

    def _pass(self, snapshot: Snapshot) -> None:
        at = clock.now()
        person = self.principal = self._authenticate(snapshot, at)
        check_open(snapshot.list_notices(), role=person.role, at=at)
        if self.asking.claim:  # what an earlier decision took may have been undone with its transaction
            self.outcome = idempotency.take(person.user_id, self.asking.claim(), call_id=self.asking.id)
            if self.outcome is not None:
                return
            self.is_claimed = True
        if not snapshot.has_acknowledged(person.user_id):
            check_acknowledged(user_id=person.user_id)
        call = self._read(snapshot)
        course: Course | None = None
        try:
            target = snapshot.find_target(person, call.model, call.operation, at=at)
            target.check_able(call)
            check_running(snapshot.list_exams_ahead(person.user_id), at=at)
            if tag := _tag_of(person, call):
                place = _find_place(person, tag)
                course = place.course
                call = call.instructed(check_rules(place=place, tag=tag, operation=call.operation, model=call.model))
            self._plan(snapshot, person, call=call, target=target, course=course, at=at)
        except (Refusal, ModelNotFound) as refusal:
            self.record = _record_of_refusal(person, call, course.id if course else None, refusal.code, at)
            raise

    def _plan(
        self, snapshot: Snapshot, person: Principal, *, call: Call, target: Target, course: Course | None, at: datetime
    ) -> None:
        """The rules of pace, and how the call may be paid for."""
        course_id = course.id if course else None
        rules = snapshot.find_rules(person, at=at)
        pace = rules.pace(call.operation, call.model)
        if not self._is_counted:
            self._attempts = limiter.check_attempts(user_id=person.user_id, most=pace.attempts)
            self._is_counted = True
        if pace.turns is not None and count_turns(call.body) > pace.turns:
            raise TooManyTurns(pace.turns)
        prompts = target.weigh(call)
        amounts: dict[Unit, int | None] = {Unit.PROMPTS: prompts}
        pool = snapshot.find_pool(course_id)
        pooled = {pool.unit} if pool else set()
        if _BOUNDED & (rules.limited | pooled):
            # What is held counts on the longest answer, so the provider is told to keep to it.
            target = bounded(target)
        if _BOUNDED & (rules.counted | pooled):
            amounts = bound_amounts(call, target, prompts=prompts)
        self.wish = Wish(
            call_id=call.id,
            principal=person,
            ways=rules.ways(Asked(call.operation, call.model, amounts, course_id), pool),
            operation=call.operation,
            model=call.model,
            course_code=course.code if course else "",
            via=call.via,
            is_dispatched=True,
            most_open=(chosen("MAX_PARALLEL_CALLS") or None) if pace.parallel is None else pace.parallel,
        )
        self._passed = _Passed(person, call, target, course_id, prompts)

    def _authenticate(self, snapshot: Snapshot, at: datetime) -> Principal:
        who = self.asking.credential
        if isinstance(who, Principal):
            return who
        key = snapshot.find_key(self.digest)
        principal = principal_of_key(key, at=at)
        if key is not None and is_use_due(snapshot.last_use_of(key), at=at):
            self.used_key = key.id
        return principal

    def _read(self, snapshot: Snapshot) -> Call:
        """The call, parsed with what the snapshot says now.

        Raises:
            InvalidRequest: it could not be read.
        """
        fields, found = self._body or self._parse(snapshot.list_extra_fields)
        if any(snapshot.list_extra_fields(model) != allowed for model, allowed in fields.items()):
            _fields, found = self._parse(snapshot.list_extra_fields)
        if isinstance(found, DomainError):
            raise found
        return found

    def _parse(self, extra_fields: ExtraFields) -> tuple[dict[str, Collection[str]], Call | DomainError]:
        """Read the body, and remember which extra fields were taken for allowed."""
        allowed: dict[str, Collection[str]] = {}

        def look(model: str) -> Collection[str]:
            allowed[model] = extra_fields(model)
            return allowed[model]

        found: Call | DomainError
        try:
            found = self.asking.read(look)
        except DomainError as error:
            found = error.with_traceback(None)
        self._body = allowed, found
        return self._body


def write(items: Sequence[Case | Settling | Concluding], snapshot: Snapshot) -> None:
    """Decide about the cases and write everything in one transaction; the outcomes stand in the cases afterwards.

    The decisions are taken before the transaction begins, and hold if the snapshot still does inside it; otherwise they
    are taken again there. After an exception nothing of all this is written.
    """
    cases = [item for item in items if isinstance(item, Case)]
    _decide(cases, snapshot)
    with transaction.atomic():
        if cases and not snapshot.is_true():
            _decide(cases, snapshot)
        _check_claims(cases)
        at = clock.now()
        with _open_batch(items, cases, at) as batch:
            # The ledger is written last, when the batch closes: then it need not be read again for the next one.
            records = _move(batch, items, cases)
            if records:
                record_many(records)
            used_keys = [case.used_key for case in cases if case.used_key is not None]
            if used_keys:
                note_uses(used_keys, at=at)
                snapshot.note_uses(used_keys, at=at)
            for case in cases:
                if case.is_claimed and isinstance(case.outcome, Refused):
                    idempotency.forget(case.asking.id)


def sweep() -> int:
    """End the calls whose process died (D5) and record them as lost; how many. Any number of sweepers may run."""
    idempotency.purge()
    ended = sum(_sweep_one(call_id) for call_id in list_expired(limit=500))
    if ended:
        logger.warning("Swept %d calls that nobody finished.", ended)
    return ended


def _decide(cases: Sequence[Case], snapshot: Snapshot) -> None:
    if cases:
        snapshot.begin()
    if len(cases) > 1:
        snapshot.prepare(
            {case.digest for case in cases if case.digest},
            {who for case in cases if isinstance(who := case.asking.credential, Principal)},
        )
    for case in cases:
        case.decide(snapshot)


def _check_claims(cases: Sequence[Case]) -> None:
    """Whoever waited so long that another call took its Idempotency-Key is not admitted beside it (C19)."""
    claimed = {case.asking.id: case for case in cases if case.is_claimed and case.wish is not None}
    if claimed:
        for call_id in claimed.keys() - idempotency.lock(claimed):
            claimed[call_id].lose_claim()


def _open_batch(
    items: Sequence[Case | Settling | Concluding], cases: Sequence[Case], at: datetime
) -> AbstractContextManager[Batch]:
    """A batch for the calls that run and those that begin."""
    wishes = [case.wish for case in cases if case.wish is not None]
    moved = [item.admission.call.id for item in items if not isinstance(item, Case)]
    endings = [item for item in items if isinstance(item, Concluding)]
    failed = [item.admission.call.id for item in endings if item.ending.outcome in _GIVEN_BACK]
    return open_batch(at=at, wishes=wishes, calls=moved, reversing=failed)


def _move(batch: Batch, items: Sequence[Case | Settling | Concluding], cases: Sequence[Case]) -> list[Record]:
    """Move the calls that run and hold those that begin; the records of those that ended or were refused."""
    records = []
    # What ends goes first, so that the room it leaves is there for what begins.
    for item in items:
        if isinstance(item, Settling):
            batch.settle(item.admission.call.id)
        elif isinstance(item, Concluding):
            records.append(_end_reservation(batch, item.admission, item.ending))
    for case in cases:
        case.reserve(batch)
    return records + [case.record for case in cases if case.record is not None]


def _tag_of(principal: Principal, call: Call) -> Tag | None:
    """What the call is for: what it says, or the course its key belongs to."""
    tag = Tag.read(call.course_code) or Tag.read(principal.course_code)
    if tag and principal.course_code and tag.course != principal.course_code:
        raise PolicyRefused(
            _("This key belongs to the course %(code)s.") % {"code": principal.course_code}, param="X-Course"
        )
    return tag


def _find_place(principal: Principal, tag: Tag) -> Enrollment:
    """The person's place in the course a call is tagged with."""
    place = find_place(user_id=principal.user_id, code=tag.course)
    if place is None:
        raise PolicyRefused(_("You are not in the course %(code)s. Nothing was charged.") % {"code": tag.course})
    return place


@transaction.atomic
def _give_back(admission: Admission, record: Record) -> None:
    """End a call that was never sent."""
    with open_batch(at=clock.now(), calls=[admission.call.id]) as batch:
        batch.release(admission.call.id)
    record_many([record])


def _end_reservation(batch: Batch, admission: Admission, ending: Ending) -> Record:
    """Move the reservation to its end; the record says what the call cost."""
    call_id, prompts = admission.call.id, admission.prompts
    if ending.outcome in _GIVEN_BACK:
        given_back = batch.release(call_id) or batch.reverse(call_id)
        return _record_of(admission, ending, prompts=0 if given_back else prompts)
    if admission.call.operation == Operation.IMAGE and ending.outcome == Outcome.SERVED:
        # Two of three images delivered cost two (C39).
        prompts = min(prompts, prompts // admission.call.count * ending.totals.images)
    amounts = {
        Unit.PROMPTS: prompts,
        **actual_amounts(ending.target or admission.target, admission.call.operation, ending.totals),
    }
    is_settled = batch.settle(call_id, amounts)
    batch.close(call_id, None if is_settled else amounts, is_estimated=ending.totals.source == UsageSource.ESTIMATED)
    return _record_of(admission, ending, prompts=prompts, cost=amounts.get(Unit.MONEY, 0))


def _record_of(admission: Admission, ending: Ending, *, prompts: int, cost: int = 0) -> Record:
    call = admission.call
    return Record(
        call_id=call.id,
        principal=admission.principal,
        course_id=admission.course_id,
        via=call.via,
        operation=call.operation,
        model=call.model,
        provider=(ending.target or admission.target).provider,
        outcome=ending.outcome,
        code=ending.code,
        prompts=prompts,
        totals=ending.totals,
        cost_micro=cost,
        started_at=admission.admitted_at,
        first_content_at=ending.first_content_at,
    )


def _record_of_refusal(principal: Principal, call: Call, course_id: int | None, code: str, at: datetime) -> Record:
    return Record(
        call_id=call.id,
        principal=principal,
        course_id=course_id,
        via=call.via,
        operation=call.operation,
        model=call.model,
        provider="",
        outcome=Outcome.REFUSED,
        code=code,
        started_at=at,
    )


@transaction.atomic
def _sweep_one(call_id: UUID) -> bool:
    """End one call and record it in the same transaction; False when another sweeper did, or it is alive again."""
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        is_ended, used = batch.expire(call_id), batch.used(call_id, Unit.PROMPTS)
    if not is_ended:
        return False
    reservation = Reservation.objects.select_related("user").get(pk=call_id)
    person = reservation.user
    course = find_course_of(user_id=person.id, code=reservation.course_code) if reservation.course_code else None
    record = Record(
        call_id=call_id,
        principal=Principal(person.id, Role(person.role), person.department_id, reservation.key_id),
        course_id=course.id if course else None,
        via=Via(reservation.via),
        operation=Operation(reservation.operation),
        model=reservation.model,
        provider="",  # the row does not say where the call had gone: a column would cost every call
        outcome=Outcome.LOST,
        code="swept",
        prompts=used,
        started_at=reservation.created_at,
        first_content_at=reservation.settled_at,
    )
    record_many([record])
    return True
