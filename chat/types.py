"""Who wrote a message, how far an answer or an image job has come, what a follower of either is told; saved prompts."""

import re
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from gateway.types import Admission


class Author(TextChoices):
    """Who wrote a message."""

    PERSON = "person", _("You")
    MODEL = "model", _("AI model")


class Progress(TextChoices):
    """How far an answer or an image job has come."""

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("answering")
    COMPLETE = "complete", _("complete")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")


class FileKind(TextChoices):
    """What a file given with a question is, by its content."""

    TEXT = "text", _("text")
    PDF = "pdf", _("PDF")
    PICTURE = "picture", _("picture")


class ImageSize(TextChoices):
    """The shapes of picture a person may ask for."""

    SQUARE = "1024x1024", _("Square")
    LANDSCAPE = "1536x1024", _("Landscape")
    PORTRAIT = "1024x1536", _("Portrait")


class ImageQuality(TextChoices):
    """How carefully a picture is drawn, where the AI model knows the difference."""

    LOW = "low", _("Sketch")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("Fine")


class Complaint(TextChoices):
    """Why a person found an answer not good."""

    WRONG = "wrong", _("It is wrong")
    BESIDE = "beside", _("Not what I asked")
    HARMFUL = "harmful", _("It is harmful")
    INCOMPLETE = "incomplete", _("It is incomplete")
    OTHER = "other", _("Something else")


@dataclass(frozen=True, slots=True)
class NamedPage:
    """A page an AI model named as the source of what it says.

    Args:
        host: as the network spells it, so that no letter passes for another.
    """

    url: str
    title: str
    host: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A message's place among those that follow the same message.

    Args:
        number: from 1, in order of time.
        before, after: the neighbors; None at either end.
    """

    number: int
    total: int
    before: UUID | None
    after: UUID | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What people think of an AI model's answers, as far as it is told: 0 throughout where too few people judged.

    Args:
        pk: the AI model's name.
        wrong, beside, harmful, incomplete, other: how often each Complaint was chosen.
    """

    pk: str
    label: str
    good: int = 0
    bad: int = 0
    wrong: int = 0
    beside: int = 0
    harmful: int = 0
    incomplete: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """How many answers were judged."""
        return self.good + self.bad

    @property
    def share(self) -> int:
        """Good ones in a hundred."""
        return round(100 * self.good / self.total) if self.total else 0

    @property
    def reasons(self) -> list[int]:
        """How often each Complaint was chosen, in their order."""
        return [getattr(self, each) for each in Complaint.values]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was saved and admitted: what the page needs, and what the answering task needs.

    Args:
        question_id: None when an earlier question is asked again.
        instead_of: the message of another branch that is not shown any more.
    """

    conversation_id: UUID
    question_id: UUID | None
    answer_id: UUID
    admission: Admission
    instead_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of an answer is: how many characters of its text, and of the thought before it, she has.

    Written "12", or "12-340" where the model thinks aloud.
    """

    text: int = 0
    thought: int = 0

    def __str__(self) -> str:
        return f"{self.text}-{self.thought}" if self.thought else str(self.text)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far an answer has come.

    Args:
        thought: how the model came to it; never rendered, sent back or counted as the answer.
        prompts: held while it runs, used once it has ended.
        is_abandoned: it should be running, but whoever wrote it has died.
    """

    text: str
    progress: Progress
    prompts: int
    code: str = ""
    is_abandoned: bool = False
    thought: str = ""

    @property
    def place(self) -> Place:
        """Where a reader is who has all of it."""
        return Place(len(self.text), len(self.thought))


# {{what is asked for}} when a saved prompt is put into the box; frontend/src/prompts.js reads it the same way.
VARIABLE = re.compile(r"\{\{\s*(\w[\w -]{0,39}?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where saved prompts are kept, and so who is offered them: a person's own, a course's, or neither: everyone's."""

    owner_id: int | None = None
    course_id: int | None = None

    @property
    def is_everyones(self) -> bool:
        return self.owner_id is None and self.course_id is None


class PromptWording(TypedDict, total=False):
    """What a saved prompt says; the last two are for everyone's only."""

    title: str
    command: str
    text: str
    language: str
    is_starter: bool
