"""import_roster COURSE FILE.csv: who is in a course, from the university's list."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.management.verbs import Verb
from courses.errors import UnreadableRoster
from courses.selectors import get_course
from courses.services import import_roster
from courses.types import RosterChange


class Command(Verb):
    help = (
        "Enroll the people of FILE, UTF-8, whose first line names the columns email,role, in COURSE. A role is "
        "student, assistant or instructor. All of it is imported, or nothing. Who is not in FILE stays in the "
        "course, unless --remove-absent is given."
    )
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("course", help="the course's code, such as COMP1117")
        parser.add_argument("file", type=Path)
        parser.add_argument("--remove-absent", action="store_true", help="take out who is not in FILE")
        parser.add_argument("--dry-run", action="store_true", help="show the difference and change nothing")

    def handle(
        self, *, course: str, file: Path, remove_absent: bool, dry_run: bool, json: bool, **options: Any
    ) -> None:
        try:
            # utf-8-sig: Excel begins its CSV files with a byte order mark.
            lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
            changes = import_roster(course=get_course(course), text=lines, dry_run=dry_run, remove_absent=remove_absent)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{file} is not UTF-8. Save it again as “CSV UTF-8”.") from error
        except UnreadableRoster as error:
            problems = "\n".join(map(str, error.problems))
            raise CommandError(f"{error.message}\n{problems}") from error
        if json:
            told = [{**asdict(change), "action": change.action} for change in changes]
            self.write_json({"course": course.strip().upper(), "dry_run": dry_run, "people": told})
        else:
            self._tell(changes, dry_run=dry_run)

    def _tell(self, changes: list[RosterChange], *, dry_run: bool) -> None:
        for change in changes:
            if change.action != "same":
                self.stdout.write(f"{change.action}  {change.email}  {change.before or '–'} → {change.after or '–'}")
        counts = {
            action: sum(change.action == action for change in changes)
            for action in ("enroll", "change", "remove", "same")
        }
        done = "Nothing was changed; an import would" if dry_run else "Done:"
        self.stdout.write(
            f"{done} enroll {counts['enroll']}, change {counts['change']}, remove {counts['remove']}, "
            f"leave {counts['same']} people."
        )
