"""Reads a file of people: email,name,role,department[,password]. Pure: looks at the text, not at the database."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.types import Role
from core.sheets import Problem, Row, read_rows

REQUIRED = ("email", "name", "role", "department")
SECRET = ("password",)


@dataclass(frozen=True, slots=True, repr=False)
class PersonLine:
    """One line as it is meant: trimmed, the e-mail in lower case, the role known. Has no repr: it holds a password."""

    number: int
    email: str
    name: str
    role: Role
    department: str
    password: str | None


def read_people(text: Iterable[str]) -> tuple[list[PersonLine], list[Problem]]:
    """The readable lines, and what is wrong with the others."""
    rows, problems = read_rows(text, required=REQUIRED, optional=SECRET, secret=SECRET)
    people: dict[str, PersonLine] = {}
    for row in rows:
        if row.cells["role"].lower() not in Role.values:
            said = _("There is no role “%(role)s”; write one of %(known)s.")
            sentence = said % {"role": row.cells["role"], "known": ", ".join(Role.values)}
            problems.append(Problem(row.number, "role", sentence))
            continue
        line = _person(row)
        first = people.setdefault(line.email, line)
        if first is not line:
            sentence = _("The same e-mail as on line %(line)s.") % {"line": first.number}
            problems.append(Problem(line.number, "email", sentence))
    return list(people.values()), problems


def _person(row: Row) -> PersonLine:
    cells = row.cells
    return PersonLine(
        number=row.number,
        email=cells["email"].lower(),
        name=cells["name"],
        role=Role(cells["role"].lower()),
        department=cells["department"],
        password=cells.get("password") or None,
    )
