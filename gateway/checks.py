"""Checks of what only the database can tell; `manage.py check --database default` and `doctor` run them."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004
from django.db import connection


@register(Tags.database)
def check_access_rules(databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """An access rule that names a model nobody offers protects nothing: it was probably misspelled."""
    if not databases:
        return []
    rules, catalog = apps.get_model("policies", "AccessRule"), apps.get_model("gateway", "Model")
    if not {rules._meta.db_table, catalog._meta.db_table} <= set(connection.introspection.table_names()):
        return []  # the very first `migrate` checks before it makes them
    names = catalog.objects.values("name")
    return [
        Warning(
            f"The access rule “{rule}” names no model of the catalog.",
            hint="Compare its name with the models in /manage/models/.",
            id="gateway.W001",
        )
        for rule in rules.objects.exclude(model="").exclude(model__in=names)
    ]
