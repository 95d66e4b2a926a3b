"""What asking for words and asking for images have in common: checked input, and one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.types import Principal
from core.errors import DomainError, InvalidRequest
from core.text import is_printable
from courses.models import Course
from courses.selectors import find_course_of


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


def course_of(principal: Principal, code: str) -> Course | None:
    """The person's course by that code; None for "".

    Raises:
        InvalidRequest: the person is not in such a course.
    """
    if not code:
        return None
    course = find_course_of(user_id=principal.user_id, code=code)
    if course is None:
        raise InvalidRequest(_("You are not in a course “%(code)s”.") % {"code": code[:32]}, param="course")
    return course


def checked_text(text: str, *, longest: int) -> str:
    """`text` without control characters and the space around it.

    Raises:
        InvalidRequest: nothing is left, or more than `longest` characters.
    """
    kept = "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or is_printable(c)).strip()
    if not kept:
        raise InvalidRequest(_("Write something first. Nothing was charged."), param="text")
    if len(kept) > longest:
        raise InvalidRequest(
            _("This text has %(count)s characters; %(most)s is the most. Shorten it or send it in parts.")
            % {"count": len(kept), "most": longest},
            param="text",
        )
    return kept
