"""`make faults`: the tests of the contract in their long form, on SQLite and PostgreSQL, and a table of what was seen.

Hours, not minutes: a million steps of the ledger's model alone take one. Arguments go to pytest, so that
`python -m tests.faults tests/contract/test_nonsense.py` runs a part.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests import run

PARTS = [
    "tests/contract",
    "tests/storms",
    "tests/gateway/test_disconnects.py",
    "tests/quotas/test_ledger_model.py",
    "tests/quotas/test_races.py",
]


def main(arguments: list[str]) -> int:
    """Run, and print the table; the exit code is that of the first pass that failed."""
    with tempfile.NamedTemporaryFile("r", prefix="gateway-faults-") as file:
        os.environ |= {"FAULTS": "long", "FAULTS_REPORT": file.name}
        parts = [] if any(Path(argument.partition("::")[0]).exists() for argument in arguments) else PARTS
        code = run.main([*parts, *arguments])
        rows = [line.rstrip("\n").split("\t") for line in file]
    width = max((len(what) for what, _ in rows), default=0)
    for what, seen in rows:
        print(f"{what:<{width}}  {seen}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
