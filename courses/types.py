"""A person's place in a course, and the plain values that courses hand upstairs."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypedDict

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class CourseRole(TextChoices):
    """What a person is in one course; apart from the role in the university."""

    STUDENT = "student", _("Student")
    ASSISTANT = "assistant", _("Teaching assistant")
    INSTRUCTOR = "instructor", _("Instructor")


class CourseChanges(TypedDict, total=False):
    """What `courses.services.update_course` may change; what is absent stays. Programs know the code: it stays."""

    title: str
    term: str
    department_id: int | None
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What a roster does, or would do, to one person's place in the course.

    Args:
        line: number in the file; None for someone who is not in it.
        before, after: the role in the course; None when not in the course.
    """

    line: int | None
    email: str
    name: str
    before: CourseRole | None
    after: CourseRole | None

    @property
    def action(self) -> Literal["enroll", "change", "remove", "same"]:
        """The change in a word."""
        if self.before == self.after:
            return "same"
        if self.before is None:
            return "enroll"
        return "change" if self.after else "remove"
