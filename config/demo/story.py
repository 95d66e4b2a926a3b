"""Tells the weeks before now: who came, what they asked, what came of it. The same story each time, relative to now.

Every movement goes through the services that real use goes through, with the clock moved; so windows, ledger, records
and rollups are what they would be, and `reconcile` finds nothing. Nobody is asked and no provider is called.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts.authentication import authenticate_api_key, principal_of
from accounts.models import Department, User
from accounts.services import create_api_key, create_person
from accounts.types import Principal, Role
from chat.models import Conversation, Message
from chat.services import create_prompt, title_of
from chat.types import Author, PromptWording, Shelf
from config.demo.people import ADMIN, COURSES, DEPARTMENTS, LOGINS, NEWCOMER, PEOPLE, STUDENT, DemoPerson
from config.demo.prompts import OF_COURSES, OF_EVERYONE, OF_THE_STUDENT, STARTERS
from config.demo.talks import TALKS
from config.demo.teaching import EXAM, EXCEPTION, PERMISSIONS, POOL, TEACHING, WISHES
from core import clock
from core.errors import Refusal
from core.types import Operation, Via
from courses.models import Course, CourseRule
from courses.services import (
    accept_rule,
    ask_permission,
    create_assignment,
    create_course,
    create_exam,
    decide_permission,
    enroll,
    except_from_exam,
    publish_rule,
)
from courses.types import Approach, CourseRole
from gateway.models import Model, Provider, Route, Upstream
from gateway.services import PLACEHOLDER_NAME
from gateway.types import ProviderKind
from policies.selectors import list_current
from policies.services import acknowledge, install_clauses
from quotas import services as quotas
from quotas.types import Period, Unit
from quotas.windows import window_of
from usage.services import record_opening, record_usage, roll_up
from usage.types import LookReason, Outcome, Totals, UsageSource

WEEKS = 8
# The university's own models, the one before and the one of late. They stay behind with the story, switched off: here
# the small local model answers, or those of OPENAI_API_KEY.
_HARBOUR, _FORMER_MODEL, _PRESENT_MODEL = "harbour", "harbour-7b", "harbour-8b"
_FORMER_UNTIL = timedelta(days=25)
_PRICE_IN, _PRICE_OUT = 1, 4  # micro-units a token
_GRANTED_TO = "tk.tsang"
_DAY = timedelta(days=1)
_MONDAY_TO_SUNDAY = (1.1, 1.2, 1.2, 1.1, 0.7, 0.3, 0.6)
_ASKED_IN = {code for code, teaching in TEACHING.items() if teaching.rule["approach"] != Approach.PROHIBITED}
_OUTCOMES = {
    Outcome.SERVED: 91,
    Outcome.CLIENT_LEFT: 4,
    Outcome.UPSTREAM_FAILED: 3,
    Outcome.REFUSED: 1.5,
    Outcome.LOST: 0.5,
}


@dataclass(frozen=True, slots=True)
class DemoCall:
    """One call of the story, as it will be told to the ledger and the records."""

    id: UUID
    at: datetime
    principal: Principal
    via: Via
    operation: Operation
    model: str
    course: Course | None
    outcome: Outcome
    totals: Totals
    wait: timedelta
    length: timedelta

    @property
    def cost_micro(self) -> int:
        """What the tokens cost the university; pictures of the placeholder have none."""
        return (self.totals.input_tokens or 0) * _PRICE_IN + (self.totals.output_tokens or 0) * _PRICE_OUT


def tell(*, password: str) -> int:
    """Found Harbour University in an empty database and tell its weeks of use; how many calls there were.

    Args:
        password: of the people who can sign in.
    """
    with transaction.atomic():
        calls = _Story(clock.now()).tell(password)
    roll_up()
    return calls


class _Story:
    """The state of the telling: chance, the people with their principals, and the courses by code."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.chance = random.Random(1117)  # noqa: S311  # the same story each time
        today = clock.local_day(now)
        self.first_monday = today - timedelta(weeks=WEEKS, days=today.weekday())
        self.month = window_of(Period.MONTH, now).starts_at
        self.people: dict[str, User] = {}
        self.courses: dict[str, Course] = {}
        self.keys: dict[str, tuple[int, str]] = {}

    def tell(self, password: str) -> int:
        with clock.telling(_instant(self.first_monday - 5 * _DAY, 9)):
            quotas.install_default_quota()
            install_clauses()
            _keep_models()
            self._admit_people(password)
            self._open_courses()
            rules = self._publish_rules()
            self._save_prompts()
        self._accept_clauses(rules)
        talked = list(self._calls_of_talks())
        calls = [*self._calls_of_everyone(), *talked]
        for call in sorted(calls, key=lambda call: call.at):
            _make(call)
        self._keep_talks(talked)
        self._use_keys(calls)
        self._grant()
        self._ask_teachers()
        self._look_into_a_chat()
        return len(calls)

    # ---- who is there ------------------------------------------------------------------------------------------------

    def _admit_people(self, password: str) -> None:
        departments = {code: Department.objects.create(code=code, name=name).pk for code, name in DEPARTMENTS.items()}
        for person in PEOPLE:
            user = create_person(
                email=person.email, name=person.name, role=person.role, department_id=departments[person.department]
            )
            self.people[person.login] = user
            if person.programs:
                key, secret = create_api_key(user_id=user.pk, name="scripts")
                self.keys[person.login] = key.pk, secret
        set_demo_password(password)
        admin = self.people[ADMIN.login]
        quotas.set_quota(limit=100, role=Role.INSTRUCTOR, by_id=admin.pk, reason="Teaching staff prepare classes.")

    def _open_courses(self) -> None:
        year = self.first_monday.year - (self.first_monday.month < 8)
        term = f"{year}–{(year + 1) % 100:02}, term {1 if self.first_monday.month >= 8 else 2}"
        for course in COURSES:
            self.courses[course.code] = create_course(
                code=course.code,
                title=course.title,
                term=term,
                department_id=Department.objects.get(code=course.department).pk,
                starts_on=self.first_monday,
                ends_on=self.first_monday + timedelta(weeks=15, days=-1),
            )
        for person in PEOPLE:
            for code, role in person.courses:
                enroll(course=self.courses[code], user=self.people[person.login], role=role)

    def _publish_rules(self) -> list[CourseRule]:
        """The assignments and rules of each course; the rules, which their students are going to accept."""
        rules = []
        for code, teaching in TEACHING.items():
            course, by_id = self.courses[code].pk, self.people[teaching.teacher].pk
            rules.append(publish_rule(course_id=course, by_id=by_id, **teaching.rule))
            for work in teaching.assignments:
                due = _instant(clock.local_day(self.now + work.due), 23.5)
                opens = max(due - 3 * timedelta(weeks=1), _instant(self.first_monday, 9))
                made = create_assignment(course_id=course, code=work.code, title=work.title, opens_at=opens, due_at=due)
                if work.rule:
                    rules.append(publish_rule(course_id=course, assignment_id=made.pk, by_id=by_id, **work.rule))
        return rules

    def _save_prompts(self) -> None:
        for language, prompts in OF_EVERYONE.items():
            for n, wording in enumerate(prompts):
                placed: PromptWording = {**wording, "language": language, "is_starter": n < STARTERS}
                create_prompt(shelf=Shelf(), **placed)
        for code, of_course in OF_COURSES.items():
            for wording in of_course:
                create_prompt(shelf=Shelf(course_id=self.courses[code].pk), **wording)
        create_prompt(shelf=Shelf(owner_id=self.people[STUDENT.login].pk), **OF_THE_STUDENT)

    def _accept_clauses(self, rules: list[CourseRule]) -> None:
        """Everyone before the first prompt; but the newcomer, whose first day it is, not at all."""
        for rule in rules:
            with clock.telling(_instant(self.first_monday - _DAY, 8)):
                for person in PEOPLE:
                    is_student = dict(person.courses).get(rule.course.code) == CourseRole.STUDENT
                    if is_student and person is not NEWCOMER:
                        accept_rule(user_id=self.people[person.login].pk, rule_id=rule.pk, language="en")
        for login, user in self.people.items():
            for version in list_current() if login != NEWCOMER.login else ():
                minutes = timedelta(minutes=self.chance.randrange(9 * 60))
                at = _instant(self.first_monday - _DAY, 9) + minutes
                with clock.telling(max(at, version.published_at or at)):
                    language = self.chance.choice(("en", "zh-hant", "zh-hant", "zh-hans"))
                    acknowledge(user_id=user.pk, version_id=version.pk, language=language)

    def _grant(self) -> None:
        at = max(self.month + (self.now - self.month) / 2, self.now - 3 * _DAY)
        with clock.telling(at):
            quotas.grant(
                user_id=self.people[_GRANTED_TO].pk,
                amount=10,
                reason="Robotics team: the regional contest is this month.",
                by_id=self.people[ADMIN.login].pk,
            )

    def _ask_teachers(self) -> None:
        """What students asked for in the last days, and what is ahead: permissions, more prompts, a pool, an exam."""
        with clock.telling(self.now - 2 * _DAY):
            teacher = self.people[TEACHING["HIST2021"].teacher]
            course = self.courses["HIST2021"]
            for login, reason, answer in PERMISSIONS:
                asked = ask_permission(user_id=self.people[login].pk, code=course.code, reason=reason)
                if answer:
                    decide_permission(
                        course_id=course.pk,
                        permission_id=asked.pk,
                        is_given=answer[0],
                        answer=answer[1],
                        by_id=teacher.pk,
                    )
            code, amount, cap = POOL
            reason = "The department's share for the map project."
            admin = self.people[ADMIN.login].pk
            quotas.set_pool(course_id=self.courses[code].pk, cap=cap, add=amount, reason=reason, by_id=admin)
        with clock.telling(self.now - timedelta(hours=3)):
            for login, amount, code, reason in WISHES:
                quotas.ask(
                    principal=principal_of(self.people[login]),
                    unit=Unit.PROMPTS,
                    amount=amount,
                    reason=reason,
                    course_id=self.courses[code].pk if code else None,
                )
            code, title, ahead, length = EXAM
            course, teacher = self.courses[code], self.people[TEACHING[code].teacher]
            starts_at = _instant(clock.local_day(self.now + ahead), 10)
            exam = create_exam(
                course_id=course.pk, title=title, starts_at=starts_at, ends_at=starts_at + length, by_id=teacher.pk
            )
            email, reason = EXCEPTION
            except_from_exam(course_id=course.pk, exam_id=exam.pk, email=email, reason=reason, by_id=teacher.pk)

    def _look_into_a_chat(self) -> None:
        """The teacher opened the student's last chat in a course whose rule allows it; the student sees that."""
        chat = Conversation.objects.filter(course__code="COMP1117").latest("updated_at")
        with clock.telling(self.now - timedelta(minutes=50)):
            record_opening(
                viewer_id=self.people[TEACHING["COMP1117"].teacher].pk,
                owner_id=chat.user_id,
                course_id=self.courses["COMP1117"].pk,
                conversation_id=chat.pk,
                reason=LookReason.HELP,
                note="You wrote to me that the answer on tuples confused you.",
            )

    # ---- what they ask -----------------------------------------------------------------------------------------------

    def _calls_of_everyone(self) -> Iterator[DemoCall]:
        today = clock.local_day(self.now)
        for day in (self.first_monday + n * _DAY for n in range((today - self.first_monday).days + 1)):
            for person in PEOPLE:
                # Of the demo student every prompt of this month is one of the talks.
                last = self.month if person is STUDENT else self.now - timedelta(minutes=2)
                for at in self._times_of(person, day):
                    if at < last:
                        yield self._draw(person, at)

    def _times_of(self, person: DemoPerson, day: date) -> list[datetime]:
        """A few times of the day, more before an assignment is due, most of them in the evening."""
        week = (day - self.first_monday).days // 7 + 1
        is_due = any(week in c.due_weeks for c in COURSES if c.code in dict(person.courses))
        mean = person.appetite * _MONDAY_TO_SUNDAY[day.weekday()] * (1.6 if is_due else 0.55)
        count = sum(self.chance.random() < mean / 8 for _ in range(8))
        hours = (self.chance.triangular(9, 24, 15 if person.role != Role.STUDENT else 21) for _ in range(count))
        return [_instant(day, hour) for hour in hours]

    def _draw(self, person: DemoPerson, at: datetime) -> DemoCall:
        chance = self.chance
        via = Via.API if person.programs and chance.random() < 0.6 else Via.WEB
        is_image = via == Via.WEB and person not in LOGINS and chance.random() < 0.16
        codes = [code for code, role in person.courses if role != CourseRole.INSTRUCTOR and code in _ASKED_IN]
        outcome = chance.choices([*_OUTCOMES], [*_OUTCOMES.values()])[0]
        return self._call(
            person,
            at,
            via=via,
            operation=Operation.IMAGE if is_image else Operation.CHAT,
            course=self.courses[chance.choice(codes)] if codes and chance.random() < 0.7 else None,
            outcome=outcome,
        )

    def _calls_of_talks(self) -> Iterator[DemoCall]:
        """The demo student's month: the turns of each talk a few minutes apart, the talks some days apart."""
        begin = max(self.month, self.now - 12 * _DAY)
        span = self.now - begin
        for number, talk in enumerate(TALKS):
            at = begin + span * (number + 0.5) / len(TALKS)
            evening = _instant(clock.local_day(at), 20.5)
            at = evening if begin < evening < self.now - timedelta(hours=1) else at
            for turn in range(len(talk.turns)):
                pause = min(timedelta(minutes=3), span / 40)
                yield self._call(STUDENT, at + turn * pause, course=self.courses.get(talk.course))

    def _call(self, person: DemoPerson, at: datetime, **known: Any) -> DemoCall:
        """A call of which only some is `known`; ordinary or left to chance in the rest."""
        user, chance = self.people[person.login], self.chance
        via, operation = known.get("via", Via.WEB), known.get("operation", Operation.CHAT)
        key_id = self.keys[person.login][0] if via == Via.API else None
        outcome = known.get("outcome", Outcome.SERVED)
        if operation == Operation.IMAGE:
            model, totals = PLACEHOLDER_NAME, Totals(images=int(outcome == Outcome.SERVED))
        else:
            model = _FORMER_MODEL if at < self.now - _FORMER_UNTIL else _PRESENT_MODEL
            totals = _tokens(outcome, chance.randrange(30, 900), chance.randrange(60, 700))
        return DemoCall(
            id=UUID(int=chance.getrandbits(128), version=4),
            at=at,
            principal=Principal(user.pk, Role(user.role), user.department_id, key_id),
            via=via,
            operation=operation,
            model=model,
            course=known.get("course"),
            outcome=outcome,
            totals=totals,
            wait=timedelta(milliseconds=chance.randrange(300, 2500)),
            length=timedelta(milliseconds=chance.randrange(1500, 15_000)),
        )

    # ---- what stays of it --------------------------------------------------------------------------------------------

    def _keep_talks(self, calls: list[DemoCall]) -> None:
        remaining = iter(calls)
        for talk in TALKS:
            turns = [(next(remaining), question, answer) for question, answer in talk.turns]
            first, last = turns[0][0], turns[-1][0]
            conversation = Conversation.objects.create(
                user=self.people[STUDENT.login],
                title=title_of(turns[0][1]),
                model=first.model,
                course=first.course,
                created_at=first.at,
                updated_at=last.at,
            )
            said: Message | None = None
            for call, question, answer in turns:
                asked = Message.objects.create(
                    conversation=conversation,
                    parent=said,
                    author=Author.PERSON,
                    text=question,
                    created_at=call.at,
                )
                said = Message.objects.create(
                    conversation=conversation,
                    parent=asked,
                    author=Author.MODEL,
                    text=answer,
                    model=call.model,
                    call_id=call.id,
                    prompts=1,
                    created_at=call.at,
                    ended_at=call.at + call.wait + call.length,
                )

    def _use_keys(self, calls: list[DemoCall]) -> None:
        """Each key remembers when it was used last, as it does when a program shows it."""
        last = {call.principal.key_id: call.at for call in sorted(calls, key=lambda call: call.at)}
        for key_id, secret in self.keys.values():
            if key_id in last:
                with clock.telling(last[key_id]):
                    authenticate_api_key(secret)


def set_demo_password(password: str) -> int:
    """Give the demo people who can sign in this password; how many there are. It may be as weak as whoever runs the
    demonstration likes, so the rules for passwords are not asked.
    """
    emails = [person.email for person in LOGINS]
    return User.objects.filter(email__in=emails).update(password=make_password(password))


def _instant(day: date, hour: float) -> datetime:
    """The instant of an hour of a day in the installation's time zone."""
    return clock.start_of(day) + timedelta(hours=hour)


def _keep_models() -> None:
    provider = Provider.objects.create(
        slug=_HARBOUR, name="Harbour AI service", kind=ProviderKind.COMPATIBLE, is_enabled=False
    )
    upstream = Upstream.objects.create(
        provider=provider, name="default", base_url="https://ai.harbour.example/v1", is_enabled=False
    )
    for name in (_PRESENT_MODEL, _FORMER_MODEL):
        model = Model.objects.create(
            name=name,
            label=name.title().replace("-", " "),
            description="Ran on the university's own machines, which are not part of this demonstration.",
            is_enabled=False,
        )
        Route.objects.create(model=model, upstream=upstream, upstream_name=name)


def _make(call: DemoCall) -> None:
    """Tell one call to the ledger and the records, in the order of gateway.admission."""
    if call.outcome == Outcome.REFUSED:
        _record(call, Outcome.REFUSED, code="rate_limit_exceeded")
        return
    try:
        # A savepoint, so that a refusal takes back what the reservation did (quotas.services).
        with clock.telling(call.at), transaction.atomic():
            quotas.reserve(
                call_id=call.id,
                principal=call.principal,
                amounts={Unit.PROMPTS: 1},
                operation=call.operation,
                model=call.model,
                course_code=call.course.code if call.course else "",
                via=call.via,
            )
            quotas.dispatch(call_id=call.id)
    except Refusal as refusal:
        _record(call, Outcome.REFUSED, code=refusal.code)
        return
    match call.outcome:
        case Outcome.UPSTREAM_FAILED:
            with clock.telling(call.at + call.wait):
                quotas.release(call_id=call.id)
            _record(call, call.outcome, code="upstream_error")
        case Outcome.LOST:
            with clock.telling(call.at + quotas.LEASE):
                quotas.expire(call_id=call.id)
            _record(call, call.outcome, code="swept")
        case _:
            with clock.telling(call.at + call.wait):
                quotas.settle(call_id=call.id)
            with clock.telling(call.at + call.wait + call.length):
                quotas.close(call_id=call.id)
            _record(call, call.outcome, prompts=1)


def _record(call: DemoCall, outcome: Outcome, *, code: str = "", prompts: int = 0) -> None:
    with clock.telling(call.at + (call.wait + call.length if prompts else call.wait)):
        record_usage(
            call_id=call.id,
            principal=call.principal,
            course_id=call.course.pk if call.course else None,
            via=call.via,
            operation=call.operation,
            model=call.model,
            provider="" if outcome in (Outcome.REFUSED, Outcome.LOST) else _provider_of(call.model),
            outcome=outcome,
            code=code,
            prompts=prompts,
            totals=call.totals if prompts else Totals(),
            cost_micro=call.cost_micro if prompts else 0,
            started_at=call.at,
            first_content_at=call.at + call.wait if prompts else None,
        )


def _provider_of(model: str) -> str:
    return "placeholder" if model == PLACEHOLDER_NAME else _HARBOUR


def _tokens(outcome: Outcome, tokens_in: int, tokens_out: int) -> Totals:
    """Someone who leaves has read about half, and the count is an estimate."""
    if outcome == Outcome.CLIENT_LEFT:
        return Totals(tokens_in, tokens_out // 2, source=UsageSource.ESTIMATED)
    return Totals(tokens_in, tokens_out, source=UsageSource.REPORTED)
