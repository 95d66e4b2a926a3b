"""How long the tests of the contract run: short in every build, long behind `make faults`, which tells what it saw."""

import os
from pathlib import Path

IS_LONG = os.environ.get("FAULTS") == "long"
_REPORT = os.environ.get("FAULTS_REPORT", "")


def how_many(short: int, long: int) -> int:
    """The count for this run."""
    return long if IS_LONG else short


def report(what: str, seen: str) -> None:
    """A line of the table that `make faults` ends with."""
    if _REPORT:
        with Path(_REPORT).open("a") as file:
            file.write(f"{what}\t{seen}\n")
