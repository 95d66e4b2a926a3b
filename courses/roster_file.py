"""Reads a roster: email,role and, if the course has classes, section. Pure: looks at the text, not at the database."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from core.text import one_line
from courses.errors import UnreadableRoster
from courses.types import CourseRole

COLUMNS = {"email", "role"}
OPTIONAL = {"section"}
LONGEST_SECTION = 16


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One line as it is meant: trimmed, the e-mail in lower case, the role known; no section: leave it as it is."""

    number: int
    email: str
    role: CourseRole
    section: str | None = None


def read_roster(text: Iterable[str]) -> tuple[list[RosterLine], list[tuple[int, str]]]:
    """The readable lines and, by line number, what is wrong with the others.

    Raises:
        UnreadableRoster: the first line does not name the columns.
    """
    reader = csv.DictReader(text, strict=True, skipinitialspace=True)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if not COLUMNS <= set(names) <= COLUMNS | OPTIONAL or len(names) != len(set(names)):
        raise UnreadableRoster(
            [(1, _("The first line must name the columns email,role and may name section, separated by commas."))]
        )
    lines: dict[str, RosterLine] = {}
    problems: list[tuple[int, str]] = []
    try:
        for row in reader:
            try:
                line = _line(reader.line_num, row)
            except ValueError as problem:
                problems.append((reader.line_num, str(problem)))
                continue
            first = lines.setdefault(line.email, line)
            if first is not line:
                problems.append((line.number, _("The same e-mail as on line %(line)s.") % {"line": first.number}))
    except csv.Error as error:
        problems.append((reader.line_num, _("This is not CSV from here on: %(error)s.") % {"error": error}))
    return list(lines.values()), problems


def _line(number: int, row: dict[str | Any, Any]) -> RosterLine:
    if None in row or None in row.values():
        raise ValueError(_("This line has more or fewer columns than the first."))
    cells = {name.strip().lower(): cell.strip() for name, cell in row.items()}
    section = cells.pop("section", None)
    cells = {name: cell.lower() for name, cell in cells.items()}
    if cells["role"] not in CourseRole.values:
        raise ValueError(
            _("There is no role “%(role)s” in a course; write one of %(known)s.")
            % {"role": cells["role"], "known": ", ".join(CourseRole.values)}
        )
    if section is not None and (len(section) > LONGEST_SECTION or one_line(section) != section):
        raise ValueError(_("A section has at most %(most)s characters on one line.") % {"most": LONGEST_SECTION})
    return RosterLine(number, cells["email"], CourseRole(cells["role"]), section)
