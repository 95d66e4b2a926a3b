"""compare_with_bill FILE --provider NAME: does a provider bill what we recorded?"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.management.verbs import Verb
from core.sheets import UnreadableSheet
from gateway.bill import LARGEST_BILL, Bill, read_bill
from gateway.comparing import Row, total
from gateway.selectors import compare_with_bill, list_providers

BAD_FILE = 2


class Command(Verb):
    help = (
        "Compare FILE, what a provider exports of the use of its models, with our records, by day of UTC and model. "
        "Ends with code 0 when all of it is equal or explained by open calls, 1 when not, 2 for a bad file. "
        "docs/deployment.md says which files, and what cannot be known."
    )
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("--provider", required=True, metavar="NAME", help="its short name in the catalog")

    def handle(self, *, file: Path, provider: str, json: bool, **options: Any) -> None:
        known = [found.slug for found in list_providers()]
        if provider not in known:
            raise CommandError(f"There is no provider “{provider}”; there are {', '.join(known)}.", returncode=BAD_FILE)
        bill = _read(file)
        rows = compare_with_bill(bill, provider)
        if json:
            self.write_json(_as_json(bill, rows))
        else:
            for row in rows:
                self.stdout.write(_as_text(row))
        unexplained = sum(row.must_be_looked_at for row in rows)
        if unexplained:
            raise CommandError(f"{unexplained} of {len(rows)} rows differ by more than open calls explain.")
        if not json:
            self.stdout.write(f"{len(rows)} rows are equal, or explained by open calls.")


def _read(file: Path) -> Bill:
    try:
        with file.open("rb") as content:
            return read_bill(content.read(LARGEST_BILL + 1))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=BAD_FILE) from error
    except UnreadableSheet as error:
        raise CommandError("\n".join(map(str, error.problems)), returncode=BAD_FILE) from error


def _as_text(row: Row) -> str:
    measured = (
        f"{measure} {figure.billed}, ours {figure.ours} ({figure.difference:+})"
        for measure, figure in row.figures.items()
    )
    opened = (f"{count} {kind}" for kind, count in row.open.items())
    names = " ".join(row.models or row.names)
    return f"{row.day}  {names}  {row.verdict.value}: {'; '.join([*measured, *opened])}"


def _as_json(bill: Bill, rows: list[Row]) -> dict[str, Any]:
    def figures(found: dict[str, Any]) -> dict[str, Any]:
        return {name: figure._asdict() | {"difference": figure.difference} for name, figure in found.items()}

    totals = {
        measure: {
            "billed": (summed := total(rows, measure)).billed,
            "ours": summed.ours,
            "difference": summed.difference,
        }
        for measure in bill.measures
    }
    shown = [asdict(row) | {"figures": figures(dict(row.figures))} for row in rows]
    return {"first_day": bill.first_day, "last_day": bill.last_day, "rows": shown, "totals": totals}
