"""`manage.py set_quota`: put a rule in force from now on."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.selectors import get_person
from accounts.types import Role
from core.errors import DomainError
from quotas.services import set_quota
from quotas.types import Period, Unit


class Command(BaseCommand):
    help = "Set the quota of everyone, of a role, or of one person. It holds on the next call."

    def add_arguments(self, parser: CommandParser) -> None:
        subject = parser.add_mutually_exclusive_group(required=True)
        subject.add_argument("--everyone", action="store_true", help="who has no more specific rule")
        subject.add_argument("--role", choices=Role.values)
        subject.add_argument("--person", metavar="EMAIL")
        limit = parser.add_mutually_exclusive_group(required=True)
        limit.add_argument("--limit", type=int, metavar="N", help="units per period; money in micro-units")
        limit.add_argument("--unmetered", action="store_true", help="count, and never refuse")
        parser.add_argument("--unit", choices=Unit.values, default=Unit.PROMPTS)
        parser.add_argument("--period", choices=Period.values, default=Period.MONTH)
        parser.add_argument("--scope", default="", help="an operation (chat, image) or model:NAME; all when left out")
        parser.add_argument("--reason", default="", help="kept in the history of the rule")
        parser.add_argument("--json", action="store_true", help="print the rule as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rule = set_quota(
                limit=options["limit"],
                unit=Unit(options["unit"]),
                period=Period(options["period"]),
                role=options["role"] or "",
                user_id=get_person(options["person"]).pk if options["person"] else None,
                scope=options["scope"],
                reason=options["reason"],
            )
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"id": rule.pk, "name": rule.name, "limit": rule.limit}))
        else:
            self.stdout.write(f"In force: {rule.name} for {options['person'] or options['role'] or 'everyone'}.")
