"""`manage.py prepare`: what every installation stands on, after `migrate` and at every start."""

from django.core.management.base import BaseCommand

from gateway.services import sync_catalog
from policies.services import install_clauses
from quotas.services import install_default_quota


class Command(BaseCommand):
    help = "Make sure of the default quota, the clauses and the catalog; what an administrator changed stays."

    def handle(self, **options: object) -> None:
        install_default_quota()
        install_clauses()
        sync_catalog()
