"""Writes of courses and rosters: the one door for pages, admin, API and commands."""

from collections.abc import Iterable
from datetime import date
from typing import Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from core.errors import NotFound
from core.text import one_line
from courses.errors import UnreadableRoster
from courses.models import Course, Enrollment
from courses.roster_file import RosterLine, read_roster
from courses.types import CourseChanges, CourseRole, RosterChange


@transaction.atomic
def create_course(
    *, code: str, title: str, starts_on: date, ends_on: date, term: str = "", department_id: int | None = None
) -> Course:
    """A new course, with nobody in it.

    Args:
        code: how programs name it; kept in upper case.
        starts_on, ends_on: its first and last day.

    Raises:
        ValidationError: by field: the code is taken or malformed, the title missing, the end before the start.
    """
    course = Course(
        code=code.strip().upper(),
        title=one_line(title),
        starts_on=starts_on,
        ends_on=ends_on,
        term=one_line(term),
        department_id=department_id,
    )
    course.full_clean()
    course.save()
    return course


@transaction.atomic
def update_course(*, course_id: int, **changes: Unpack[CourseChanges]) -> Course:
    """Change what is named and nothing else.

    Raises:
        NotFound: there is no such course.
        ValidationError: by field, when a value does not fit.
    """
    course = _lock_course(course_id)
    for field, value in changes.items():
        setattr(course, field, one_line(value) if isinstance(value, str) else value)
    course.full_clean()
    course.save(update_fields=list(changes))
    return course


@transaction.atomic
def enroll(*, course: Course, user: User, role: CourseRole = CourseRole.STUDENT) -> Enrollment:
    """Give a person this role in the course, in place of the one held before, if any.

    Raises:
        ValidationError: made an instructor, and the person's role in the university is not one that teaches.
    """
    Enrollment(course=course, user=user, role=role).clean()
    enrollment: Enrollment
    enrollment, _created = Enrollment.objects.update_or_create(course=course, user=user, defaults={"role": role})
    return enrollment


def remove_enrollment(*, course_id: int, user_id: int) -> bool:
    """Take a person out of the course. What was used stays counted. True when this call did it."""
    removed, _by_model = Enrollment.objects.filter(course=course_id, user=user_id).delete()
    return removed > 0


def import_roster(
    *, course: Course, text: Iterable[str], dry_run: bool = False, remove_absent: bool = False
) -> list[RosterChange]:
    """Bring who is in the course in line with a file: all of it, or nothing when one line is wrong.

    Args:
        text: lines of CSV; the first names the columns email,role. The people must exist.
        dry_run: do and undo everything, to see what would change.
        remove_absent: take out of the course whoever is not in the file; otherwise they stay.

    Returns:
        One change for each line, in order, then one for each person removed.

    Raises:
        UnreadableRoster: with every bad line and what is wrong with it.
    """
    lines, problems = read_roster(text)
    changes = []
    with transaction.atomic():
        # Two imports of one course wait for each other here.
        course = _lock_course(course.pk)
        before = {e.user.email: e for e in Enrollment.objects.filter(course=course).select_related("user")}
        people = {user.email: user for user in User.objects.filter(email__in=[line.email for line in lines])}
        for line in lines:
            try:
                changes.append(_import_line(course, line, people.get(line.email), before.get(line.email)))
            except ValidationError as problem:
                problems.append((line.number, " ".join(problem.messages)))
        if problems:
            raise UnreadableRoster(sorted(problems))
        if remove_absent:
            changes += [_remove(before[email]) for email in sorted(before.keys() - people.keys())]
        transaction.set_rollback(dry_run)
    return changes


def _import_line(course: Course, line: RosterLine, user: User | None, before: Enrollment | None) -> RosterChange:
    if user is None:
        raise ValidationError(_("There is no person with the e-mail %(email)s.") % {"email": line.email})
    role_before = CourseRole(before.role) if before else None
    change = RosterChange(line.number, user.email, user.name, role_before, line.role)
    if change.action != "same":
        enroll(course=course, user=user, role=line.role)
    return change


def _remove(enrollment: Enrollment) -> RosterChange:
    remove_enrollment(course_id=enrollment.course_id, user_id=enrollment.user_id)
    return RosterChange(None, enrollment.user.email, enrollment.user.name, CourseRole(enrollment.role), None)


def _lock_course(course_id: int) -> Course:
    course = Course.objects.select_for_update().filter(pk=course_id).first()
    if course is None:
        raise NotFound
    return course
