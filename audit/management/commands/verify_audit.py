"""verify_audit: is every entry of the audit log the one that was written, and is none missing?"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from audit.selectors import verify
from core.management.verbs import Verb


class Command(Verb):
    help = (
        "Walk the chain of the audit log and compare it with its anchors outside the database. Names the first entry "
        "that is wrong or missing, and ends with code 1 then."
    )
    offers_json = True

    def handle(self, *, json: bool = False, **options: Any) -> None:
        verdict = verify()
        if json:
            self.write_json({"is_sound": verdict.is_sound, **asdict(verdict)})
        if not verdict.is_sound:
            raise CommandError(verdict.problem)
        if not json:
            self.stdout.write(f"{verdict.entries} entries and {verdict.anchors} anchors: all as they were written.")
