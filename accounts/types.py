"""Who may be asking: roles, and the frozen caller that every floor above passes around."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """What a person is to the university."""

    STUDENT = "student", _("Student")
    INSTRUCTOR = "instructor", _("Instructor")
    STAFF = "staff", _("Staff")
    ADMIN = "admin", _("Administrator")


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller, as read from the database for this one request.

    Args:
        user_id: the person.
        role: the person's role now.
        department_id: the person's department, if any.
        key_id: the API key that was shown, or None for a session.
        course_code: the course the key is bound to, or "".
    """

    user_id: int
    role: Role
    department_id: int | None = None
    key_id: int | None = None
    course_code: str = ""


class PersonChanges(TypedDict, total=False):
    """What `accounts.services.update_person` may change; what is absent stays."""

    email: str
    name: str
    role: Role
    department_id: int | None
    is_active: bool
    suspension_reason: str
    language: str


class TasteChanges(TypedDict, total=False):
    """What `accounts.services.update_taste` may change; what is absent stays."""

    language: str
    theme: str
    is_advised: bool
    waits_for_all: bool


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """What one line of a file of people did, or would do.

    Args:
        line: number in the file.
        action: "create", "update" or "same".
        changes: for an update, what was and what is, by field.
    """

    line: int
    email: str
    action: Literal["create", "update", "same"]
    changes: dict[str, tuple[str, str]]

    @property
    def subject(self) -> str:
        """Whom the line speaks of."""
        return self.email


def columns_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a form or the API read, as arguments of services, which take a department by its id."""
    columns = dict(fields)
    if "department" in columns:
        department = columns.pop("department")
        columns["department_id"] = department and department.pk
    return columns
