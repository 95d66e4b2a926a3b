"""`manage.py doctor`: the first thing to run when something is wrong."""

import dataclasses
import json
import sys

from django.core.management.base import BaseCommand, CommandParser

from config.health import examine_everything


class Command(BaseCommand):
    help = "Look at configuration, database, migrations, broker, providers and local model. Code 1 when one fails."
    requires_system_checks = ()  # the doctor looks at them, and must start even when they fail

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    def handle(self, *, json: bool, **options: object) -> None:
        findings = examine_everything()
        if json:
            self.stdout.write(_as_json([dataclasses.asdict(finding) for finding in findings]))
        else:
            for finding in findings:
                mark = self.style.SUCCESS("well") if finding.is_well else self.style.ERROR("FAILS")
                self.stdout.write(f"{mark}  {finding.name}: {finding.words}")
        if not all(finding.is_well for finding in findings):
            sys.exit(1)


def _as_json(findings: list[dict[str, object]]) -> str:
    return json.dumps(findings, indent=2)
