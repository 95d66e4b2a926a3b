"""What asking for words and asking for images have in common: checked input, and one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.types import Principal
from core.errors import DomainError, InvalidRequest
from core.text import is_printable
from courses.models import Assignment, Course
from courses.selectors import find_assignment, find_course_of
from courses.types import Tag


@contextmanager
def admission_first() -> Iterator[None]:
    """One transaction in which the call is admitted first, and the rows of what was admitted are written after it.

    A refusal therefore leaves nothing but its own record, which is committed before the refusal goes on.
    """
    refused: DomainError | None = None
    with transaction.atomic():
        try:
            yield
        except DomainError as error:
            refused = error
    if refused is not None:
        raise refused


def course_of(principal: Principal, tag: str) -> Course | None:
    """The person's course of that tag, CODE or CODE/ASSIGNMENT; None for "".

    Raises:
        InvalidRequest: the person is not in such a course.
    """
    wanted = Tag.read(tag)
    if wanted is None:
        return None
    course = find_course_of(user_id=principal.user_id, code=wanted.course)
    if course is None:
        raise InvalidRequest(_("You are not in a course “%(code)s”.") % {"code": wanted.course[:32]}, param="course")
    return course


def assignment_of(course: Course, tag: str) -> Assignment | None:
    """The assignment a tag names in the course; None when it names none.

    Raises:
        InvalidRequest: the course has no such assignment.
    """
    wanted = Tag.read(tag)
    if wanted is None or not wanted.assignment:
        return None
    assignment = find_assignment(course_id=course.pk, code=wanted.assignment)
    if assignment is None:
        raise InvalidRequest(_("%(course)s has no such assignment.") % {"course": course.code}, param="course")
    return assignment


def printable(text: str) -> str:
    """`text` without control characters and the space around it."""
    return "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or is_printable(c)).strip()


def checked_text(text: str, *, longest: int) -> str:
    """`printable` text.

    Raises:
        InvalidRequest: nothing is left, or more than `longest` characters.
    """
    kept = printable(text)
    if not kept:
        raise InvalidRequest(_("Write something first. Nothing was charged."), param="text")
    if len(kept) > longest:
        raise InvalidRequest(
            _("This text has %(count)s characters; %(most)s is the most. Shorten it or send it in parts.")
            % {"count": len(kept), "most": longest},
            param="text",
        )
    return kept
