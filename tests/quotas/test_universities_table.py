"""The tables of docs/universities.md are what the fixtures put in force: changed with them, or this fails."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.utils.timezone import localtime

from quotas.models import Quota
from quotas.types import Unit
from quotas.wording import name_subject, write_quantity
from tests.quotas import test_universities as played
from tests.quotas.conftest import Travel
from tests.quotas.test_universities import cityu, cuhk, day, eduhk, hku, hkust, polyu

PAGE = Path(__file__).parents[2] / "docs" / "universities.md"
FIXTURES: list[tuple[str, Callable[[], None], datetime]] = [
    ("HKU", hku, day(2023, 8, 3)),
    ("HKUST", hkust, day(2026, 11, 1)),
    ("EdUHK", eduhk, day(2026, 11, 1)),
    ("CityU", cityu, day(2026, 11, 1)),
    ("CUHK", cuhk, day(2026, 11, 1)),
    ("PolyU", polyu, day(2026, 11, 1)),
]
HEADS = ("For", "Unit", "Limit", "Per", "Covers", "From", "Until", "Reason")


def table_of(fixture: Callable[[], None]) -> str:
    """The rules that a fixture writes, as a table of Markdown."""
    Quota.objects.all().delete()
    fixture()
    rules = [_cells(rule) for rule in Quota.objects.order_by("starts_at", "pk")]
    lines = [HEADS, ("---",) * len(HEADS), *rules] if rules else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(rule: Quota) -> tuple[str, ...]:
    limit = "no limit" if rule.limit is None else write_quantity(Unit(rule.unit), rule.limit)
    until = f"{localtime(rule.ends_at):%Y-%m-%d}" if rule.ends_at else ""
    since = f"{localtime(rule.starts_at):%Y-%m-%d}"
    covers = rule.scope or "everything"
    return (name_subject(rule), rule.unit, limit, rule.period, covers, since, until, rule.reason)


def test_the_page_shows_the_rules_of_the_six(db: None, travel: Travel) -> None:
    parts = dict(part.split("\n", 1) for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:])
    assert list(parts) == [name for name, _fixture, _at in FIXTURES]
    for name, fixture, at in FIXTURES:
        travel(at)
        shown = "\n".join(line for line in parts[name].splitlines() if line.startswith("|"))
        wanted = table_of(fixture)
        assert shown == wanted, f"docs/universities.md, {name}:\n{wanted}"


def test_every_table_names_the_test_that_plays_it() -> None:
    named = re.findall(r"test_universities\.py::(\w+)", PAGE.read_text(encoding="utf-8"))
    assert len(named) >= len(FIXTURES)
    assert [name for name in named if not hasattr(played, name)] == []
