"""`manage.py backup FILE`: everything an installation cannot make again, in one tar file, while the server runs."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import archive


class Command(BaseCommand):
    help = "Write database, media and keys into one tar file. The server may run; calls in progress come out released."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the tar file to write; it must not exist yet")

    def handle(self, *, file: Path, **options: object) -> None:
        try:
            archive.write(file)
        except OSError as error:
            raise CommandError(f"The backup was not written: {error}") from error
        self.stdout.write(f"Backed up into {file}. It holds secrets: keep it where the keys may be kept.")
