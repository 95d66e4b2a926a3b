"""Reads a file of rules: for,who,limit and, if wanted, department,unit,period,covers,starts_on,ends_on.

Pure: looks at the text and the day, not at the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from core.errors import InvalidRequest
from core.sheets import Problem, Row, read_rows
from quotas.resolution import fits_period
from quotas.types import PACE_PERIODS, Kind, Period, Subject, Unit
from quotas.wording import check_scope, read_amount

REQUIRED = ("for", "who", "limit")
OPTIONAL = ("department", "unit", "period", "covers", "starts_on", "ends_on")
UNMETERED = "unmetered"


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line as it is meant.

    Args:
        who: an e-mail address, or the code of a course or department, or a role; "" for everyone.
        department: narrows a role.
        limit: None: unmetered.
        starts_on: a day to come; None: at once.
        ends_on: the last day; None: until it is changed.
    """

    number: int
    subject: Subject
    who: str
    department: str
    kind: Kind
    limit: int | None
    starts_on: date | None
    ends_on: date | None


def read_rules(text: Iterable[str], *, today: date) -> tuple[list[RuleLine], list[Problem]]:
    """The readable lines, and what is wrong with the others."""
    rows, problems = read_rows(text, required=REQUIRED, optional=OPTIONAL)
    lines: dict[tuple[object, ...], RuleLine] = {}
    for row in rows:
        wrong: list[Problem] = []
        line = _read(row, today, wrong)
        problems += wrong
        if wrong:
            continue
        first = lines.setdefault((line.subject, line.who, line.department, line.kind), line)
        if first is not line:
            sentence = _("The same rule as on line %(line)s.") % {"line": first.number}
            problems.append(Problem(row.number, "who", sentence))
    return list(lines.values()), problems


def _read(row: Row, today: date, wrong: list[Problem]) -> RuleLine:
    """The line; what cannot be read is told in `wrong`, and something stands in its place."""
    cells = row.cells
    words = {"for": Subject.values, "unit": Unit.values, "period": Period.values}
    named = {"unit": Unit.PROMPTS.value, "period": Period.MONTH.value} | {
        name: cells[name].lower() for name in words if cells.get(name)
    }
    for name, known in words.items():
        if named.get(name) not in known:
            sentence = _("Write one of %(known)s.") % {"known": ", ".join(known)}
            wrong.append(Problem(row.number, name, sentence))
            named[name] = known[0]
    subject, unit = Subject(named["for"]), Unit(named["unit"])
    period = Period(named["period"])
    if unit in PACE_PERIODS and not cells.get("period"):
        period = PACE_PERIODS[unit]
    if not fits_period(unit, period):
        wrong.append(Problem(row.number, "period", _("This unit is not counted over this period.")))
    scope, limit = "", None
    try:
        scope = check_scope(cells.get("covers", ""))
    except InvalidRequest as problem:
        wrong.append(Problem(row.number, "covers", str(problem.message)))
    try:
        limit = None if cells["limit"].lower() == UNMETERED else read_amount(unit, cells["limit"])
    except InvalidRequest as problem:
        said = _("%(sentence)s Or write unmetered.") % {"sentence": problem.message}
        wrong.append(Problem(row.number, "limit", said))
    starts_on, ends_on = _read_days(row, subject, today, wrong)
    _check_who(row, subject, wrong)
    who = cells["who"].lower() if subject in (Subject.PERSON, Subject.ROLE) else cells["who"]
    who = who.upper() if subject == Subject.COURSE else who
    return RuleLine(
        row.number, subject, who, cells.get("department", ""), (unit, period, scope), limit, starts_on, ends_on
    )


def _check_who(row: Row, subject: Subject, wrong: list[Problem]) -> None:
    who, department = row.cells["who"], row.cells.get("department", "")
    if subject == Subject.EVERYONE and who:
        wrong.append(Problem(row.number, "who", _("A rule for everyone names nobody. Leave it empty.")))
    elif subject != Subject.EVERYONE and not who:
        sentence = _("Write whom: an e-mail address, a role, or the code of a department or course.")
        wrong.append(Problem(row.number, "who", sentence))
    if department and subject != Subject.ROLE:
        sentence = _("Only a rule for a role can be narrowed to a department. Leave it empty.")
        wrong.append(Problem(row.number, "department", sentence))


def _read_days(row: Row, subject: Subject, today: date, wrong: list[Problem]) -> tuple[date | None, date | None]:
    days: dict[str, date | None] = {"starts_on": None, "ends_on": None}
    for name in days:
        if written := row.cells.get(name, ""):
            try:
                days[name] = _read_day(written)
            except ValueError:
                wrong.append(Problem(row.number, name, _("Write a day as 2026-12-31.")))
    starts_on, ends_on = days["starts_on"], days["ends_on"]
    if starts_on is not None and starts_on <= today:
        sentence = _("Choose a day to come, or leave it empty for a rule that holds at once.")
        wrong.append(Problem(row.number, "starts_on", sentence))
    if ends_on is not None and ends_on < (starts_on or today):
        sentence = _("The last day lies before the first.")
        wrong.append(Problem(row.number, "ends_on", sentence))
    if ends_on is not None and subject == Subject.EVERYONE:
        sentence = _("A rule for everyone has no last day: something must hold after it.")
        wrong.append(Problem(row.number, "ends_on", sentence))
    return starts_on, ends_on


def _read_day(written: str) -> date:
    if not (written.isascii() and len(written) == len("2026-12-31")):
        raise ValueError(written)
    day = date.fromisoformat(written)
    if not 2000 <= day.year <= 2099:
        raise ValueError(written)
    return day
