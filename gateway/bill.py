"""A provider's bill: reads what it exports of the use of its models. Pure: looks at the bytes, not at the database.

OpenAI's export as CSV (one file for each kind of use), the JSON of its Usage API, or a plain table for everyone else.
All of them have lines of a time and a model, several of which may speak of the same day.
"""

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from core.sheets import Problem, UnreadableSheet, read_rows
from core.text import one_line
from core.types import Operation

LARGEST_BILL = 5_000_000  # bytes
MOST_DAYS = 366  # from the first to the last: one question to the database
MOST_LINES = 5_000  # of a day and a model each: beyond it nobody reads
PLAIN = ("day", "model", "requests", "input_tokens", "output_tokens")
_REQUESTS = "num_model_requests"  # OpenAI's word, by which its exports are known
_LONGEST_NAME = 200
_COUNT = re.compile(r"([0-9]{1,15})(?:\.0+)?")  # OpenAI writes its counts as 10.0
_EXAMPLES = {"day": "2026-11-30", "start_time": "1795996800", "start_time_iso": "2026-11-30T00:00:00+00:00"}


@dataclass(frozen=True, slots=True)
class Bill:
    """What a provider says was asked of it.

    Args:
        measures: what it counts, of "requests", "input_tokens", "output_tokens" and "images".
        operations: whose calls it should list all of; of others it lists what it lists.
        used: by the day, of UTC, and the provider's name of the model.
    """

    measures: tuple[str, ...]
    operations: frozenset[Operation]
    first_day: date
    last_day: date
    used: Mapping[tuple[date, str], Counter[str]]


class _Form(NamedTuple):
    when: str
    columns: Mapping[str, str]  # by measure
    operations: frozenset[Operation]


class _Line(NamedTuple):
    number: int
    where: str  # before the name of a column
    cells: Mapping[str, str]


def read_bill(content: bytes) -> Bill:
    """What a file says, whichever of the forms it has.

    Raises:
        UnreadableSheet: it has none of them, or something in it cannot be; nothing of it counts.
    """
    if len(content) > LARGEST_BILL:
        raise _unreadable(_("The file is larger than 5 MB. Export fewer days."))
    try:
        text = content.decode("utf-8-sig")  # Excel begins its CSV files with a byte order mark
    except UnicodeDecodeError as error:
        sentence = _("The file is not UTF-8. Save it again as “CSV UTF-8”.")
        raise _unreadable(sentence, line=content.count(b"\n", 0, error.start) + 1) from None
    form, lines, problems = _read_json(text) if text.lstrip()[:1] in ("{", "[") else _read_csv(text)
    days: set[date] = set()
    used: defaultdict[tuple[date, str], Counter[str]] = defaultdict(Counter)
    for line in lines:
        day, counts, wrong = _read_line(line, form)
        problems += wrong
        if day is not None:
            days.add(day)
            if any(counts.values()):  # of a day on which nothing was used there is a line too
                used[day, line.cells["model"]].update(counts)
    if problems:
        raise UnreadableSheet(problems)
    if not days:
        raise _unreadable(_("There is no line in it. Export days on which the models were used."))
    first_day, last_day = min(days), max(days)
    if (last_day - first_day).days >= MOST_DAYS or len(used) > MOST_LINES:
        sentence = _("The file has more than %(days)s days, or %(lines)s lines. Export fewer days.")
        raise _unreadable(sentence % {"days": MOST_DAYS, "lines": MOST_LINES})
    return Bill(tuple(form.columns), form.operations, first_day, last_day, used)


def _unreadable(sentence: str, *, line: int = 0, column: str = "") -> UnreadableSheet:
    return UnreadableSheet([Problem(line, column, sentence)])


def _form_of(names: Iterable[str]) -> _Form:
    names = {*names}
    if _REQUESTS not in names:
        return _Form("day", {name: name for name in PLAIN[2:]}, frozenset(Operation))
    when = "start_time_iso" if "start_time" not in names and "start_time_iso" in names else "start_time"
    if "output_tokens" not in names and "images" in names:
        return _Form(when, {"requests": _REQUESTS, "images": "images"}, frozenset({Operation.IMAGE}))
    columns = {"requests": _REQUESTS, "input_tokens": "input_tokens"}
    if "output_tokens" not in names:  # embeddings or moderations, which it does not say
        return _Form(when, columns, frozenset())
    return _Form(when, {**columns, "output_tokens": "output_tokens"}, frozenset({Operation.CHAT}))


def _read_csv(text: str) -> tuple[_Form, list[_Line], list[Problem]]:
    first_line = text.lstrip().partition("\n")[0]
    form = _form_of(name.strip('" \r').lower() for name in first_line.split(","))
    rows, problems = read_rows(
        io.StringIO(text, newline=""), required=(form.when, "model", *form.columns.values()), skips_others=True
    )
    return form, [_Line(row.number, "", row.cells) for row in rows], problems


def _read_json(text: str) -> tuple[_Form, list[_Line], list[Problem]]:
    try:
        # Numbers stay as they are written: what is none, or too large, is told where it stands.
        page = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        lines = list(_lines_of(page))
    except json.JSONDecodeError as error:
        raise _unreadable(
            _("This is not JSON from here on: %(error)s.") % {"error": error.msg}, line=error.lineno
        ) from None
    except (RecursionError, KeyError, TypeError, AttributeError):
        sentence = _(
            "This is no page of the Usage API: it has “data”, a list of buckets with “start_time” and “results”."
        )
        raise _unreadable(sentence) from None
    return _form_of([_REQUESTS, "start_time", *(name for line in lines for name in line.cells)]), lines, []


def _lines_of(page: Any) -> Iterator[_Line]:
    for at, bucket in enumerate(page["data"]):
        when = {"start_time": _written(bucket["start_time"])}
        # A bucket without results says that nothing was used.
        for place, result in enumerate(bucket["results"] or [{}]):
            cells = {name: _written(value) for name, value in result.items()}
            yield _Line(0, f"data[{at}].results[{place}].", cells | when)


def _written(value: object) -> str:
    # JSON can name half a character, which nothing can show.
    return "" if value is None else str(value).encode(errors="replace").decode()


def _read_line(line: _Line, form: _Form) -> tuple[date | None, Counter[str], list[Problem]]:
    """The day, what was used, and what is wrong."""
    cells = {name: line.cells.get(name, "") for name in (form.when, "model", *form.columns.values())}
    problems: list[tuple[str, str]] = []
    day = _read_day(cells[form.when], form.when)
    if day is None:
        sentence = _("“%(value)s” is no time of the years 2000 to 2099. Write it as %(example)s.")
        problems.append((form.when, sentence % {"value": _shown(cells[form.when]), "example": _EXAMPLES[form.when]}))
    counts: Counter[str] = Counter()
    if any(value for name, value in cells.items() if name != form.when):
        for measure, name in form.columns.items():
            found = _COUNT.fullmatch(cells[name])
            if found:
                counts[measure] = int(found[1])
            else:
                sentence = _("“%(value)s” is no count. Write a whole number from 0 up, of at most 15 digits.")
                problems.append((name, sentence % {"value": _shown(cells[name])}))
        problems += [("model", sentence) for sentence in _about_name(cells["model"])]
    return day, counts, [Problem(line.number, line.where + name, sentence) for name, sentence in problems]


def _about_name(name: str) -> Iterator[str]:
    if not name:
        yield _("It is empty. Group the export by model.")
    elif len(name) > _LONGEST_NAME or name != one_line(name):
        yield _("No model has such a name.")


def _read_day(written: str, when: str) -> date | None:
    try:
        if when == "start_time":
            found = _COUNT.fullmatch(written)
            day = datetime.fromtimestamp(int(found[1]), UTC).date() if found else None
        elif when == "start_time_iso":
            at = datetime.fromisoformat(written)
            day = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).date()
        else:
            day = date.fromisoformat(written)
    except (ValueError, OverflowError, OSError):
        return None
    return day if day and 2000 <= day.year < 2100 else None


def _shown(value: str) -> str:
    return one_line(value, longest=40)
