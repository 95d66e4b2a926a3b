"""acknowledge EMAIL --all --on-behalf REASON: record what a person accepted outside the product."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.selectors import get_person
from core.management.verbs import Verb
from policies.selectors import list_outstanding
from policies.services import acknowledge


class Command(Verb):
    help = (
        "Record that a person accepted every outstanding clause outside the product, for instance on paper. "
        "The record names the reason and says that it was made on the person's behalf."
    )
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email")
        parser.add_argument("--all", action="store_true", required=True, help="every outstanding clause")
        parser.add_argument("--on-behalf", required=True, metavar="REASON", help="where the acceptance is on record")

    def handle(self, *, email: str, on_behalf: str, json: bool, **options: Any) -> None:
        if not on_behalf.strip():
            raise CommandError("--on-behalf needs a reason, such as “signed on paper, 3 September”.")
        person = get_person(email)
        given = [
            acknowledge(
                user_id=person.id,
                version_id=version.id,
                language=person.language or "en",
                reason=on_behalf,
            )
            for version in list_outstanding(person.id)
        ]
        if json:
            self.write_json([{"clause": str(each.version), "digest": each.digest, "at": each.at} for each in given])
            return
        for each in given:
            self.stdout.write(f"Recorded for {person.email}: {each.version}, fingerprint {each.digest}.")
        if not given:
            self.stdout.write(f"{person.email} has nothing outstanding.")
