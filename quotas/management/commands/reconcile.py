"""`manage.py reconcile`: do the counters equal the books?"""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from quotas.selectors import find_differences


class Command(BaseCommand):
    help = "Compare every allowance and reservation with its ledger entries. Exit 1 and the rows that differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the differences as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        differences = find_differences()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(difference) for difference in differences]))
        else:
            for found in differences:
                self.stdout.write(f"{found.row}: {found.field} is {found.counter}, the entries say {found.books}")
        if differences:
            raise CommandError(f"{len(differences)} numbers differ from the ledger's entries.")
        if not options["json"]:
            self.stdout.write("The counters equal the books.")
