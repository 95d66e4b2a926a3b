"""Tables that people send as CSV: the one reader of every import. Pure: looks at the text, not at the database."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from core.errors import InvalidRequest
from core.text import is_printable

_OTHER_SEPARATORS = ";\t|"
_SHOWN = {"\t": "Tab"}


class Problem(NamedTuple):
    """What is wrong in one place of a table.

    Args:
        line: number in the file; 1 is the first, 0 where lines say nothing.
        column: its name; "" where the whole line is wrong.
    """

    line: int
    column: str
    sentence: str

    def __str__(self) -> str:
        words = {"line": self.line, "column": self.column, "problem": self.sentence}
        if self.column:
            return (_("Line %(line)s, %(column)s: %(problem)s") if self.line else _("%(column)s: %(problem)s")) % words
        return _("Line %(line)s: %(problem)s") % words if self.line else self.sentence


class UnreadableSheet(InvalidRequest):
    """A file has lines that cannot be imported; none of it was.

    Args:
        problems: in the order of the lines.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One line: its trimmed cells by the name of the column. Has no repr: it may hold a password."""

    number: int
    cells: dict[str, str]


def read_rows(
    text: Iterable[str],
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    secret: Sequence[str] = (),
    skips_others: bool = False,
) -> tuple[list[Row], list[Problem]]:
    """The readable lines and what is wrong with the others; no line at all where the first does not name the columns.

    Args:
        secret: columns whose cells may begin like a formula: they are never shown again.
        skips_others: columns of other names may stand there, and are not looked at.
    """
    reader = csv.reader(text, strict=True, skipinitialspace=True)
    known = {*required, *optional}
    rows: list[Row] = []
    problems: list[Problem] = []
    names: list[str] = []
    for number, cells in _lines(reader, problems):
        if not names:
            names = [cell.strip().lower() for cell in cells]
            skipped = {*names} - known if skips_others and len(names) > 1 else set()
            problems += _about_columns([name for name in names if name not in skipped], required, optional)
            if problems:
                return [], problems
        elif len(cells) != len(names):
            problems.append(Problem(number, "", _("This line has more or fewer columns than the first.")))
        else:
            row = Row(number, {name: cell.strip() for name, cell in zip(names, cells, strict=True) if name in known})
            wrong = list(_about_cells(row, secret))
            problems += wrong
            rows += [] if wrong else [row]
    if not names and not problems:
        problems += _about_columns([], required, optional)
    return rows, problems


def _lines(reader: Any, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            if cells:  # an empty line says nothing
                yield reader.line_num, cells
    except csv.Error as error:
        sentence = _("This is not CSV from here on: %(error)s.") % {"error": error}
        problems.append(Problem(reader.line_num, "", sentence))


def _about_columns(names: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> list[Problem]:
    twice = [name for name, times in Counter(names).items() if times > 1]
    missing = [name for name in required if name not in names]
    unknown = [name for name in dict.fromkeys(names) if name not in (*required, *optional)]
    if not (twice or missing or unknown):
        return []
    wanted = _("The first line must name the columns %(required)s.") % {"required": ",".join(required)}
    if optional:
        words = {"required": ",".join(required), "optional": ",".join(optional)}
        wanted = _("The first line must name the columns %(required)s and may name %(optional)s.") % words
    found = next((mark for mark in _OTHER_SEPARATORS if len(names) == 1 and mark in names[0]), "")
    if found:
        wanted += " " + _("They are separated by “%(found)s”. Separate them by commas.") % {
            "found": _SHOWN.get(found, found)
        }
        return [Problem(1, "", wanted)]
    return [
        Problem(1, "", wanted),
        *(Problem(1, name, _("This column is missing.")) for name in missing),
        *(Problem(1, name[:40], _("This column stands there twice.")) for name in twice),
        *(Problem(1, name[:40], _("No column has this name here.")) for name in unknown),
    ]


def _about_cells(row: Row, secret: Sequence[str]) -> Iterator[Problem]:
    for name, cell in row.cells.items():
        if any(not is_printable(character) and not character.isspace() for character in cell):
            yield Problem(row.number, name, _("There is a character in it that cannot be shown."))
        elif name not in secret and _is_formula(cell):
            yield Problem(row.number, name, _("It begins like a formula of a spreadsheet. Write the value itself."))


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet would compute it; a number with its sign is a number."""
    return cell[:1] in ("=", "@") or (cell[:1] in ("+", "-") and not cell[1:2].isdigit())
