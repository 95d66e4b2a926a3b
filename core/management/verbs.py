"""What every verb of manage.py shares: a condition that people may see ends it with a sentence and exit code 1."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError


class Verb(BaseCommand):
    """A command that may answer in JSON: `--json` is offered where `offers_json` is set."""

    offers_json = False

    def add_arguments(self, parser: CommandParser) -> None:
        if self.offers_json:
            parser.add_argument("--json", action="store_true", help="answer in JSON, for scripts")

    def execute(self, *args: Any, **options: Any) -> str | None:
        with _plain_sentences():
            return super().execute(*args, **options)

    def write_json(self, value: object) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False, default=str))


@contextmanager
def _plain_sentences() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    except DomainError as error:
        raise CommandError(str(error.message)) from error
