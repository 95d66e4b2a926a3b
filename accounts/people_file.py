"""Reads a file of people: email,name,role,department[,password]. Pure: looks at the text, not at the database."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.errors import UnreadablePeople
from accounts.types import Role

REQUIRED = ("email", "name", "role", "department")
COLUMNS = (*REQUIRED, "password")


@dataclass(frozen=True, slots=True, repr=False)
class PersonLine:
    """One line as it is meant: trimmed, the e-mail in lower case, the role known. Has no repr: it holds a password."""

    number: int
    email: str
    name: str
    role: Role
    department: str
    password: str | None


def read_people(text: Iterable[str]) -> tuple[list[PersonLine], list[tuple[int, str]]]:
    """The readable lines and, by line number, what is wrong with the others.

    Raises:
        UnreadablePeople: the first line does not name the columns.
    """
    reader = csv.DictReader(text, strict=True)
    _check_columns(reader.fieldnames)
    people: dict[str, PersonLine] = {}
    problems: list[tuple[int, str]] = []
    for number, row in _rows(reader, problems):
        try:
            line = _person(number, row)
        except ValueError as problem:
            problems.append((number, str(problem)))
            continue
        if line.email in people:
            problems.append((number, _("The same e-mail as on line %(line)s.") % {"line": people[line.email].number}))
        people.setdefault(line.email, line)
    return list(people.values()), problems


def _rows(reader: "csv.DictReader[str]", problems: list[tuple[int, str]]) -> Iterator[tuple[int, dict[str | Any, Any]]]:
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        problems.append((reader.line_num, _("This is not CSV from here on: %(error)s.") % {"error": error}))


def _check_columns(names: Iterable[str] | None) -> None:
    columns = [name.strip().lower() for name in names or ()]
    if not set(REQUIRED) <= set(columns) <= set(COLUMNS) or len(set(columns)) < len(columns):
        expected = _("The first line must name the columns: email,name,role,department and, if wanted, password.")
        raise UnreadablePeople([(1, expected)])


def _person(number: int, row: dict[str | Any, Any]) -> PersonLine:
    if None in row or None in row.values():
        raise ValueError(_("This line has more or fewer columns than the first."))
    cells = {name.strip().lower(): cell.strip() for name, cell in row.items()}
    try:
        role = Role(cells["role"].lower())
    except ValueError:
        known = ", ".join(Role.values)
        raise ValueError(
            _("There is no role “%(role)s”; write one of %(known)s.") % {"role": cells["role"], "known": known}
        ) from None
    return PersonLine(
        number=number,
        email=cells["email"].lower(),
        name=cells["name"],
        role=Role(role),
        department=cells["department"],
        password=cells.get("password") or None,
    )
