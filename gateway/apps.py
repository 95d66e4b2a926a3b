from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from core.revision import watch
from gateway import checks
from gateway.patience import signs
from gateway.watched import WATCHED


class GatewayConfig(AppConfig):
    name = "gateway"
    # Naming the check here registers it.
    access_rules_check = checks.check_access_rules

    def ready(self) -> None:
        connection_created.connect(signs.note_connection)
        post_migrate.connect(_watch_tables, sender=self)


def _watch_tables(**_migration: Any) -> None:
    watch(WATCHED)
