"""Making and changing courses."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Unpack

from django.db import transaction

from audit.services import differences, record
from core.errors import NotFound
from core.text import one_line
from courses.models import Course
from courses.types import CourseChanges


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
    record_act("create", course, differences({}, {"starts_on": starts_on, "ends_on": ends_on}))
    return course


@transaction.atomic
def update_course(*, course_id: int, **changes: Unpack[CourseChanges]) -> Course:
    """Change what is named and nothing else.

    Raises:
        NotFound: there is no such course.
        ValidationError: by field, when a value does not fit.
    """
    course = lock_course(course_id)
    before = {field: getattr(course, field) for field in changes}
    for field, value in changes.items():
        setattr(course, field, one_line(value) if isinstance(value, str) else value)
    course.full_clean()
    course.save(update_fields=list(changes))
    changed = differences(before, {field: getattr(course, field) for field in changes})
    if changed:
        record_act("change", course, changed)
    return course


@transaction.atomic
def delete_course(*, course_id: int) -> None:
    """Take away a course that was a mistake.

    Raises:
        NotFound: there is no such course.
        ProtectedError: it was used, so it stays.
    """
    course = lock_course(course_id)
    course.delete()
    record_act("delete", course, {})


def lock_course(course_id: int) -> Course:
    """The course, locked until the transaction ends.

    Raises:
        NotFound: there is none.
    """
    course = Course.objects.select_for_update().filter(pk=course_id).first()
    if course is None:
        raise NotFound
    return course


def record_act(act: str, course: Course, changes: Mapping[str, Any]) -> None:
    """One line of the audit log about a course; `changes` as audit.services.record takes them."""
    record(f"course.{act}", subject=f"course/{course.code}", name=course.title, changes=changes)
