"""`manage.py seed_demo`: Harbour University with some weeks of use, for a first look."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from config.demo.people import LOGINS
from config.demo.story import set_demo_password, tell


class Command(BaseCommand):
    help = (
        "Fill an empty database with Harbour University: people, courses, and weeks of plausible use. Where there is "
        "anybody already, nothing is changed. The demo logins have the password DEMO_PASSWORD, or one that is made up "
        "and printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-password", action="store_true", help="only give the demo logins of an earlier run a new password"
        )
        parser.add_argument("--json", action="store_true", help="answer in JSON, for scripts")

    def handle(self, *, new_password: bool, json: bool, **options: Any) -> str:
        password = settings.DEMO_PASSWORD or _make_up()
        if new_password:
            if not set_demo_password(password):
                raise CommandError("There is nobody of Harbour University here. Leave out --new-password to make them.")
            return _answer(password, "The demo logins have a new password.", as_json=json)
        if User.objects.exists():
            kept = "There are people in this database already: nothing was changed."
            return _answer("", kept, as_json=json)
        calls = tell(password=password)
        people = User.objects.count()
        return _answer(password, f"Harbour University is open: {people} people, {calls} calls.", as_json=json)


def _answer(password: str, sentence: str, *, as_json: bool) -> str:
    logins = [{"email": person.email, "role": person.role} for person in LOGINS] if password else []
    if as_json:
        return json.dumps({"message": sentence, "logins": logins, "password": password or None})
    lines = [f"  {login['email']:24} {login['role']}" for login in logins]
    return "\n".join([sentence, *lines, *([f"  Password of all four: {password}"] if password else [])])


def _make_up() -> str:
    """Easy to type, and nobody's guess: 64 bits."""
    return "-".join(("harbour", *(secrets.token_hex(2) for _ in range(4))))
