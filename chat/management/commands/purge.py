"""`purge`: the texts and pictures whose time is over go; counts and evidence stay."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from chat.services import purge_texts
from core.management.verbs import Verb


class Command(Verb):
    help = "Remove chats and pictures kept longer than RETENTION_DAYS after their course ended or their last use."
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say how many would go")

    def handle(self, *args: Any, **options: Any) -> None:
        purged = purge_texts(dry_run=options["dry_run"])
        if options["json"]:
            self.write_json(asdict(purged))
            return
        would = "would go" if options["dry_run"] else "went"
        self.stdout.write(f"{purged.conversations} chats and {purged.image_jobs} image jobs {would}.")
        if purged.held_conversations or purged.held_image_jobs:
            held = f"{purged.held_conversations} chats and {purged.held_image_jobs} image jobs"
            self.stdout.write(f"{held} are over, and kept by a hold.")
