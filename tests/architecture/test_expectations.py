"""docs/expectations.md: each need is shown by tests that exist, or is said to lack."""

import re

from tests.architecture.source import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/expectations.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Need")
]


def test_every_need_names_its_tests_or_says_that_it_lacks() -> None:
    assert len(ROWS) > 70
    assert [need for need, _level, shown in ROWS if not re.findall(r"`[^`]+`", shown) and shown != "not yet"] == []
    assert {level for _need, level, _shown in ROWS} == {"must", "should", "nice"}


def test_every_named_test_exists() -> None:
    missing = []
    for _need, _level, shown in ROWS:
        for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", shown):
            path = ROOT / "tests" / file
            if not path.is_file() or not re.search(rf"^(?:async )?def {name}\(", path.read_text(), re.MULTILINE):
                missing.append(f"{file}::{name}")
    assert missing == []
