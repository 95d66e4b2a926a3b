"""Reads a roster: email,role and, if the course has classes, section. Pure: looks at the text, not at the database."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from core.sheets import Problem, Row, read_rows
from core.text import one_line
from courses.types import CourseRole

REQUIRED = ("email", "role")
OPTIONAL = ("section",)
LONGEST_SECTION = 16


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One line as it is meant: trimmed, the e-mail in lower case, the role known; no section: leave it as it is."""

    number: int
    email: str
    role: CourseRole
    section: str | None = None


def read_roster(text: Iterable[str]) -> tuple[list[RosterLine], list[Problem]]:
    """The readable lines, and what is wrong with the others."""
    rows, problems = read_rows(text, required=REQUIRED, optional=OPTIONAL)
    lines: dict[str, RosterLine] = {}
    for row in rows:
        if wrong := _problem(row):
            problems.append(wrong)
            continue
        cells = row.cells
        role = CourseRole(cells["role"].lower())
        line = RosterLine(row.number, cells["email"].lower(), role, cells.get("section"))
        first = lines.setdefault(line.email, line)
        if first is not line:
            sentence = _("The same e-mail as on line %(line)s.") % {"line": first.number}
            problems.append(Problem(line.number, "email", sentence))
    return list(lines.values()), problems


def _problem(row: Row) -> Problem | None:
    role, section = row.cells["role"], row.cells.get("section", "")
    if role.lower() not in CourseRole.values:
        said = _("There is no role “%(role)s” in a course; write one of %(known)s.")
        return Problem(row.number, "role", said % {"role": role, "known": ", ".join(CourseRole.values)})
    if len(section) > LONGEST_SECTION or one_line(section) != section:
        said = _("A section has at most %(most)s characters on one line.")
        return Problem(row.number, "section", said % {"most": LONGEST_SECTION})
    return None
