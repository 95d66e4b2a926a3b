"""A person's place in a course, and the plain values that courses hand upstairs."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypedDict

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class CourseRole(TextChoices):
    """What a person is in one course; apart from the role in the university."""

    STUDENT = "student", _("Student")
    ASSISTANT = "assistant", _("Teaching assistant")
    INSTRUCTOR = "instructor", _("Instructor")


class Approach(TextChoices):
    """How far a course lets its students use AI: CUHK's four approaches (2023), from nothing to everything."""

    PROHIBITED = "prohibited", _("not allowed")
    PERMISSION = "permission", _("only with permission")
    ACKNOWLEDGMENT = "acknowledgment", _("with acknowledgment")
    FREE = "free", _("free")


class Scale(IntegerChoices):
    """The AI Assessment Scale (Perkins, Furze, Roe, MacVaugh 2024), as PolyU uses it."""

    NONE = 1, _("1 · No AI")
    PLANNING = 2, _("2 · AI for planning")
    COLLABORATION = 3, _("3 · AI as a collaborator")
    FULL = 4, _("4 · Full AI")
    EXPLORATION = 5, _("5 · AI exploration")


class Readers(TextChoices):
    """Who beside the student may open a chat that is tagged with the course (D14)."""

    NOBODY = "nobody", _("nobody")
    INSTRUCTORS = "instructors", _("instructors of the course, with a reason")


@dataclass(frozen=True, slots=True)
class Tag:
    """What a call is for: a course, or one assignment of it. Written CODE or CODE/ASSIGNMENT."""

    course: str
    assignment: str = ""

    @classmethod
    def read(cls, written: str) -> "Tag | None":
        """The tag as it was written in a header or a form; None for nothing."""
        if not written:
            return None
        course, _slash, assignment = written.strip().partition("/")
        return cls(course, assignment) if course else None

    def __str__(self) -> str:
        return f"{self.course}/{self.assignment}" if self.assignment else self.course


class RuleWording(TypedDict, total=False):
    """What a version of a course's AI rule says; see courses.models.CourseRule."""

    approach: Approach | str
    scale: int | None
    allowed_tools: list[str]
    allowed_models: list[str]
    note: str
    declaration: str
    instructions: str
    readers: Readers | str
    asks_again: bool


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
        section_before, section: the class of the course; "" for none.
    """

    line: int | None
    email: str
    name: str
    before: CourseRole | None
    after: CourseRole | None
    section_before: str = ""
    section: str = ""

    @property
    def action(self) -> Literal["enroll", "change", "remove", "same"]:
        """The change in a word."""
        if (self.before, self.section_before) == (self.after, self.section):
            return "same"
        if self.before is None:
            return "enroll"
        return "change" if self.after else "remove"
