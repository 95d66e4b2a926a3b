"""`manage.py sweep`: what the server and the worker do by themselves, by hand."""

from django.core.management.base import BaseCommand

from gateway import admission


class Command(BaseCommand):
    help = "End the calls whose process died: what they held is given back, and each is recorded as lost."

    def handle(self, **options: object) -> None:
        ended = admission.sweep()
        self.stdout.write(f"{ended} calls ended.")
