"""`manage.py roll_up`: write the totals of the days that are over."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from usage.services import roll_up, roll_up_day


class Command(BaseCommand):
    help = "Write the totals of every day that is over and not written yet; or of one day anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="only this day, again")
        parser.add_argument("--json", action="store_true", help="print the days as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["day"]:
            roll_up_day(options["day"])
        days = [options["day"]] if options["day"] else roll_up()
        if options["json"]:
            self.stdout.write(json.dumps([day.isoformat() for day in days]))
        else:
            self.stdout.write(f"Rolled up {len(days)} days.")
