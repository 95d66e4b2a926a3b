"""`manage.py sync_catalog`: the built-in models, and those of OPENAI_API_KEY and OPENAI_BASE_URL."""

from django.core.management.base import BaseCommand

from gateway.models import Model
from gateway.services import sync_catalog


class Command(BaseCommand):
    help = "Bring the catalog up to what the environment offers; what an administrator changed stays."

    def handle(self, *args: object, **options: object) -> None:
        sync_catalog()
        self.stdout.write(f"{Model.objects.count()} models are in the catalog.")
