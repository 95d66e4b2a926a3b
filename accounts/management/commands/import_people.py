"""import_people FILE.csv: create and update people from the university's list."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.errors import UnreadablePeople
from accounts.services import import_people
from core.management.verbs import Verb


class Command(Verb):
    help = (
        "Create and update people from FILE, UTF-8, whose first line names the columns email,name,role,department and, "
        "if wanted, password. All of it is imported, or nothing. A password is used for new people only; people "
        "without one set it by mail. Departments are named by their code."
    )
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show the difference and change nothing")

    def handle(self, *, file: Path, dry_run: bool, json: bool, **options: Any) -> None:
        try:
            # utf-8-sig: Excel begins its CSV files with a byte order mark.
            lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
            people = import_people(text=lines, dry_run=dry_run)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{file} is not UTF-8. Save it again as “CSV UTF-8”.") from error
        except UnreadablePeople as error:
            problems = "\n".join(map(str, error.problems))
            raise CommandError(f"{error.message}\n{problems}") from error
        if json:
            self.write_json({"dry_run": dry_run, "people": [asdict(person) for person in people]})
            return
        for person in people:
            changes = ", ".join(f"{field}: {old or '–'} → {new or '–'}" for field, (old, new) in person.changes.items())
            if person.action != "same":
                self.stdout.write(f"{person.action}  {person.email}  {changes}".rstrip())
        counts = {action: sum(p.action == action for p in people) for action in ("create", "update", "same")}
        done = "Nothing was changed; an import would" if dry_run else "Done:"
        self.stdout.write(
            f"{done} create {counts['create']}, update {counts['update']}, leave {counts['same']} people."
        )
