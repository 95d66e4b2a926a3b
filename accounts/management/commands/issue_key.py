"""issue_key EMAIL: an API key for a person, for scripts and first tries."""

from argparse import ArgumentTypeError
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser

from accounts.selectors import get_person
from accounts.services import create_api_key
from core import clock
from core.management.verbs import Verb


class Command(Verb):
    help = "Make an API key for a person. The key stands alone on the last line and is shown nowhere else."
    offers_json = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email")
        parser.add_argument("--name", default="command line", help="what the key is for")
        parser.add_argument("--expires", type=_end_of, metavar="DATE", help="last day it works, YYYY-MM-DD")

    def handle(self, *, email: str, name: str, expires: datetime | None, json: bool, **options: Any) -> None:
        person = get_person(email)
        key, secret = create_api_key(user_id=person.id, name=name, expires_at=expires)
        if json:
            self.write_json({"key": secret, "name": key.name, "email": person.email, "expires_at": key.expires_at})
            return
        self.stdout.write(f"A key for {person.name} <{person.email}>, shown this once:")
        self.stdout.write(secret)


def _end_of(day: str) -> datetime:
    try:
        last = date.fromisoformat(day)
    except ValueError:
        raise ArgumentTypeError(f"{day!r} is not a day; write it as YYYY-MM-DD.") from None
    if last.year > 2099:
        raise ArgumentTypeError("choose a day before the year 2100, or none.")
    return clock.start_of(last + timedelta(days=1))
