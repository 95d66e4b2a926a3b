"""A course's AI rule: publishing a version, accepting it, and holding a call against it.

The rule binds the students of the course; who teaches or assists is not bound. D10 gives the check its place in the
order of decisions: gateway.admission asks here after the model and before the quota.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from audit.services import differences
from core import clock
from core.errors import NotFound
from core.types import Operation
from courses.errors import CourseRefused, RuleNotAccepted, RuleSuperseded
from courses.models import LONGEST_TEXTS, Assignment, CourseRule, Enrollment, ExamWindow, RuleAcceptance
from courses.selectors import (
    find_assignment,
    has_accepted,
    has_permission,
    list_exams_ahead,
    list_rules_in_force,
)
from courses.services.courses import lock_course, record_act
from courses.types import Approach, CourseRole, RuleWording, Scale, Tag
from courses.wording import scale_instructions


@transaction.atomic
def publish_rule(
    *, course_id: int, assignment_id: int | None = None, by_id: int, **wording: Unpack[RuleWording]
) -> CourseRule:
    """Put a new version of the AI rule in force from now on; the earlier versions stay as evidence.

    Args:
        assignment_id: the assignment it is for; the course as a whole when None.
        wording: what the rule says; see CourseRule.

    Raises:
        NotFound: there is no such course, or no such assignment in it.
        ValidationError: by field: the parts contradict each other, or a text is missing or too long.
    """
    course = lock_course(course_id)
    assignment = None
    if assignment_id is not None:
        assignment = Assignment.objects.filter(pk=assignment_id, course=course).first()
        if assignment is None:
            raise NotFound
    latest = CourseRule.objects.filter(course=course, assignment=assignment).order_by("-number").first()
    number = latest.number + 1 if latest else 1
    rule = CourseRule(course=course, assignment=assignment, number=number, published_by_id=by_id, **wording)
    # Nobody's chats become readable behind their back (D14).
    rule.asks_again = rule.asks_again or latest is None or rule.readers != latest.readers
    rule.full_clean()
    _check_wording(rule)
    rule.save()
    said = ("approach", "scale", "allowed_tools", "allowed_models", "readers", "asks_again")
    record_act("publish_rule", course, differences({}, {"about": rule.tag, "version": number} | _values(rule, said)))
    return rule


def accept_rule(*, user_id: int, rule_id: int, language: str) -> RuleAcceptance:
    """Record that the student read and accepted this version. Accepting again returns the first record.

    Args:
        language: the language the page was read in, such as "zh-hant".

    Raises:
        NotFound: there is no such rule, or the person is not in its course.
        RuleSuperseded: another version is in force now.
    """
    rule = CourseRule.objects.select_related("course", "assignment").filter(pk=rule_id).first()
    if rule is None or not Enrollment.objects.filter(course=rule.course_id, user=user_id).exists():
        raise NotFound
    if rule not in list_rules_in_force(rule.course_id, rule.assignment):
        raise RuleSuperseded
    acceptance: RuleAcceptance
    acceptance, _created = RuleAcceptance.objects.get_or_create(
        rule=rule, user_id=user_id, defaults={"language": language, "at": clock.now()}
    )
    return acceptance


def check_exams(*, user_id: int) -> None:
    """No exam window is open now for a course the person studies, or the person is excepted from it.

    Raises:
        CourseRefused: naming the exam and its end; every door answers so, whatever the call is tagged with.
    """
    check_running(list_exams_ahead(user_id), at=clock.now())


def check_running(exams: Iterable[ExamWindow], *, at: datetime) -> None:
    """None of these exams is running at this instant.

    Args:
        exams: `courses.selectors.list_exams_ahead` of the person.

    Raises:
        CourseRefused: naming the exam and its end.
    """
    exam = next((exam for exam in exams if exam.starts_at <= at < exam.ends_at), None)
    if exam is not None:
        raise CourseRefused(
            _("“%(exam)s” of %(course)s runs until %(end)s. Until then nothing is answered. Nothing was charged.")
            % {"exam": exam.title, "course": exam.course.code, "end": _moment(exam.ends_at)}
        )


def check_rules(*, place: Enrollment, tag: Tag, operation: Operation, model: str) -> str:
    """The rules in force of what the call is tagged with allow it; of a course and its assignment both must.

    Args:
        place: the person's place in the tagged course.

    Returns:
        The instructions the AI gets before the question; "" for none.

    Raises:
        CourseRefused: in the words of the rule that says no.
        RuleNotAccepted: the student has not accepted the version in force.
    """
    at = clock.now()
    assignment = find_assignment(course_id=place.course_id, code=tag.assignment) if tag.assignment else None
    if tag.assignment and assignment is None:
        raise CourseRefused(_("%(course)s has no assignment “%(code)s”. Nothing was charged.") % _named(tag))
    if place.role != CourseRole.STUDENT:
        return ""
    if assignment is not None and not assignment.opens_at <= at < assignment.due_at:
        raise CourseRefused(
            _("The assignment %(tag)s runs from %(start)s to %(end)s. Nothing was charged.")
            % {"tag": tag, "start": _moment(assignment.opens_at), "end": _moment(assignment.due_at)}
        )
    rules = list_rules_in_force(place.course_id, assignment)
    for rule in rules:
        _check_rule(rule, user_id=place.user_id, operation=operation, model=model)
    parts = [part for rule in rules for part in (scale_instructions(rule.scale), rule.instructions) if part]
    return "\n\n".join(dict.fromkeys(parts))


def _check_rule(rule: CourseRule, *, user_id: int, operation: Operation, model: str) -> None:
    tag = {"tag": rule.tag}
    if rule.approach == Approach.PROHIBITED:
        raise CourseRefused(_("%(tag)s does not allow AI.") % tag + _in_its_words(rule))
    if not rule.allows_tool(operation):
        raise CourseRefused(
            _("%(tag)s does not allow the tool “%(tool)s”.") % {**tag, "tool": operation.label} + _in_its_words(rule)
        )
    if not rule.allows_model(model):
        raise CourseRefused(
            _("%(tag)s allows only these AI models: %(models)s.") % {**tag, "models": ", ".join(rule.allowed_models)}
            + _in_its_words(rule)
        )
    if rule.approach == Approach.PERMISSION and not has_permission(course_id=rule.course_id, user_id=user_id):
        raise CourseRefused(
            _("%(tag)s allows AI only with the teacher's permission. Ask for it on the page of the course.") % tag
            + _in_its_words(rule)
        )
    if not has_accepted(rule=rule, user_id=user_id):
        raise RuleNotAccepted(
            _("Please read and accept the AI rule of %(tag)s, version %(number)s, first. Nothing was charged.")
            % {**tag, "number": rule.number}
        )


def _check_wording(rule: CourseRule) -> None:
    """What a rule says must hang together: a scale of 1 and “not allowed” are the same thing said twice."""
    problems: dict[str, str] = {}
    if rule.scale is not None and (rule.scale == Scale.NONE) != (rule.approach == Approach.PROHIBITED):
        problems["scale"] = _("“No AI” on the scale and “not allowed” belong together. Change one of the two.")
    if rule.approach == Approach.ACKNOWLEDGMENT and not rule.declaration.strip():
        problems["declaration"] = _("Write how students acknowledge and cite what they used.")
    if rule.approach != Approach.PROHIBITED and not rule.allowed_tools:
        problems["allowed_tools"] = _("Choose at least one tool, or “not allowed”.")
    for name, most in LONGEST_TEXTS.items():
        if len(getattr(rule, name)) > most:
            problems[name] = _("At most %(most)s characters.") % {"most": most}
    if not _are_known(rule.allowed_tools, Operation.values):
        problems["allowed_tools"] = _("There is no such tool.")
    if problems:
        raise ValidationError(problems)


def _values(rule: CourseRule, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in names}


def _are_known(values: object, known: Collection[str]) -> bool:
    return isinstance(values, list) and all(value in known for value in values)


def _in_its_words(rule: CourseRule) -> str:
    """The rule's own first words, and that nothing was lost."""
    words = rule.note.strip().split("\n")[0][:300]
    return (f" “{words}”" if words else "") + " " + _("Nothing was charged.")


def _named(tag: Tag) -> dict[str, str]:
    return {"course": tag.course, "code": tag.assignment[:24]}


def _moment(at: datetime) -> str:
    return date_format(localtime(at), "MOMENT_FORMAT")
