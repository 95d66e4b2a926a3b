"""Pieces of work of a course, and the hours in which an exam silences the gateway for its students."""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import differences
from core import clock
from core.errors import NotFound
from core.text import one_line
from courses.models import Assignment, CourseRule, Enrollment, ExamException, ExamWindow
from courses.services.courses import lock_course, record_act
from courses.types import CourseRole

LONGEST_EXAM = timedelta(days=7)


@transaction.atomic
def create_assignment(*, course_id: int, code: str, title: str, opens_at: datetime, due_at: datetime) -> Assignment:
    """A new assignment of the course.

    Args:
        code: how calls name it after the course, as in COMP1117/A2.

    Raises:
        NotFound: there is no such course.
        ValidationError: by field: the code is taken or malformed, the title missing, the end before the beginning.
    """
    course = lock_course(course_id)
    assignment = Assignment(course=course, code=code.strip(), title=one_line(title), opens_at=opens_at, due_at=due_at)
    assignment.full_clean()
    assignment.save()
    record_act("create_assignment", course, {assignment.code: [None, assignment.title]})
    return assignment


@transaction.atomic
def delete_assignment(*, course_id: int, assignment_id: int) -> None:
    """Take an assignment away that never had a rule: what students accepted stays.

    Raises:
        NotFound: the course has no such assignment.
        ValidationError: a rule was published for it.
    """
    assignment = Assignment.objects.filter(pk=assignment_id, course=course_id).first()
    if assignment is None:
        raise NotFound
    if CourseRule.objects.filter(assignment=assignment).exists():
        raise ValidationError(_("A rule was published for this assignment, so it stays. Change its end instead."))
    assignment.delete()
    record_act("delete_assignment", assignment.course, {assignment.code: [assignment.title, None]})


@transaction.atomic
def move_assignment(*, course_id: int, assignment_id: int, opens_at: datetime, due_at: datetime) -> Assignment:
    """Change when an assignment runs.

    Raises:
        NotFound: the course has no such assignment.
        ValidationError: the end lies before the beginning.
    """
    assignment = Assignment.objects.select_for_update().filter(pk=assignment_id, course=course_id).first()
    if assignment is None:
        raise NotFound
    before = {"opens_at": assignment.opens_at, "due_at": assignment.due_at}
    assignment.opens_at, assignment.due_at = opens_at, due_at
    assignment.full_clean()
    assignment.save(update_fields=["opens_at", "due_at"])
    changes = differences(before, {"opens_at": opens_at, "due_at": due_at})
    record_act("move_assignment", assignment.course, changes | {"assignment": [None, assignment.code]})
    return assignment


@transaction.atomic
def create_exam(
    *, course_id: int, title: str, starts_at: datetime, ends_at: datetime, by_id: int, section: str = ""
) -> ExamWindow:
    """Announce an exam: from `starts_at` up to `ends_at` the course's students get no answers.

    Args:
        section: only this class of the course; everyone when "".

    Raises:
        NotFound: there is no such course.
        ValidationError: by field: it ends before it starts, has ended already, or lasts more than a week.
    """
    course = lock_course(course_id)
    exam = ExamWindow(
        course=course,
        title=one_line(title),
        starts_at=starts_at,
        ends_at=ends_at,
        section=one_line(section),
        created_by_id=by_id,
    )
    exam.full_clean()
    if exam.ends_at <= clock.now():
        raise ValidationError({"ends_at": _("This is over already. Choose a later time.")})
    if exam.ends_at - exam.starts_at > LONGEST_EXAM:
        raise ValidationError({"ends_at": _("At most a week: nobody of the course gets an answer in this time.")})
    exam.save()
    record_act("create_exam", course, {exam.title: [None, f"{starts_at.isoformat()} {ends_at.isoformat()}"]})
    return exam


@transaction.atomic
def end_exam(*, course_id: int, exam_id: int) -> None:
    """Call an exam off, or end it now: one that has not begun disappears, a running one ends at this moment.

    Raises:
        NotFound: the course has no such exam, or it is over.
    """
    now = clock.now()
    coming = ExamWindow.objects.select_for_update().filter(pk=exam_id, course=course_id, ends_at__gt=now)
    exam = coming.first()
    if exam is None:
        raise NotFound
    planned = exam.ends_at
    if exam.starts_at >= now:
        exam.delete()
    else:
        exam.ends_at = now
        exam.save(update_fields=["ends_at"])
    record_act("end_exam", exam.course, {exam.title: [planned.isoformat(), now.isoformat()]})


@transaction.atomic
def except_from_exam(*, course_id: int, exam_id: int, email: str, reason: str, by_id: int) -> ExamException:
    """Let one student of the course go on through an exam window.

    Raises:
        NotFound: the course has no such exam.
        ValidationError: by field: nobody of that e-mail studies in the course, or no reason is given.
    """
    exam = ExamWindow.objects.filter(pk=exam_id, course=course_id).first()
    if exam is None:
        raise NotFound
    place = Enrollment.objects.filter(
        course=course_id, role=CourseRole.STUDENT, user__email=email.strip().lower()
    ).first()
    problems: dict[str, str] = {}
    if place is None:
        problems["email"] = _("No student of this course has this e-mail.")
    reason = one_line(reason, longest=240)
    if not reason:
        problems["reason"] = _("Write the reason. It is kept with the exception.")
    if place is None or problems:
        raise ValidationError(problems)
    exception: ExamException
    exception, _created = ExamException.objects.update_or_create(
        exam=exam, user_id=place.user_id, defaults={"reason": reason, "granted_by_id": by_id, "at": clock.now()}
    )
    record_act("except_from_exam", exam.course, {place.user.email: [None, exam.title]})
    return exception


@transaction.atomic
def withdraw_exception(*, course_id: int, exception_id: int) -> None:
    """Take an exception back.

    Raises:
        NotFound: the course has none such.
    """
    given = ExamException.objects.select_related("user", "exam__course")
    exception = given.filter(pk=exception_id, exam__course=course_id).first()
    if exception is None:
        raise NotFound
    exception.delete()
    record_act("withdraw_exception", exception.exam.course, {exception.user.email: [exception.exam.title, None]})
