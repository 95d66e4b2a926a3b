"""`manage.py restore FILE`: a backup back into an installation that is stopped."""

import tarfile
from contextlib import suppress
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from audit.services import note_restore
from config import archive


class Command(BaseCommand):
    help = "Replace database, media and keys by those of a backup. Stop the server first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a tar file that `manage.py backup` wrote")
        parser.add_argument("--yes", action="store_true", help="replace what is there now without asking")

    def handle(self, *, file: Path, yes: bool, **options: object) -> None:
        if not yes and archive.would_overwrite():
            raise CommandError(
                "This installation has people in it, and all of it would be replaced. Add --yes to do so."
            )
        try:
            archive.read(file)
        except (OSError, KeyError, tarfile.TarError) as error:
            raise CommandError(f"Nothing was restored from {file}: {error}") from error
        with suppress(DatabaseError):  # a backup from before there was a log
            note_restore()
        self.stdout.write(
            "Restored. Run `manage.py migrate` if the backup is older than the program, then start the server."
        )
