"""System checks: settings that contradict each other, before every verb of manage.py; a database that may forget."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connection

# What PostgreSQL must not be told, or a call could go out before its row is durable (contract, C01): and in words why.
# SQLite is told by ourselves, in the settings.
_FORGETFUL = {
    "fsync": "The database does not sync its files (fsync is off): after a crash of the machine calls are missing.",
    "synchronous_commit": "The database answers before a commit is durable (synchronous_commit is off).",
}


@checks.register
def check_settings_agree(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Pairs that are each fine and together are not."""
    found: list[checks.CheckMessage] = []
    if settings.BEHIND_TLS and settings.DEBUG:
        found.append(
            checks.Error(
                "BEHIND_TLS and DEBUG are both on.", hint="Debug pages show settings: set DEBUG=0.", id="campus.E001"
            )
        )
    if settings.BEHIND_TLS and not settings.TRUSTED_PROXIES:
        found.append(
            checks.Error(
                "BEHIND_TLS is on and TRUSTED_PROXIES is empty: every page would send people to itself.",
                hint="Set TRUSTED_PROXIES to the address of the proxy that ends TLS.",
                id="campus.E002",
            )
        )
    if settings.WORKERS > 1 and not settings.REDIS_URL:
        found.append(
            checks.Warning(
                "WORKERS is above 1 without REDIS_URL: rate limits are counted once per process.",
                hint="Set REDIS_URL, or WORKERS=1.",
                id="campus.W001",
            )
        )
    return found


@checks.register(checks.Tags.database)
def check_database_is_durable(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[checks.CheckMessage]:
    """Server and worker do not start on a database that may forget (docs/decisions/0020)."""
    hint = "Turn it on, which is the default, and reload PostgreSQL's settings."
    return [checks.Error(why, hint=hint, id="campus.E003") for why in list_forgetful()] if databases else []


def list_forgetful() -> list[str]:
    """Why the database may forget what it has committed; nothing when it may not."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("select name from pg_settings where setting = 'off' and name = any(%s)", [list(_FORGETFUL)])
        return [_FORGETFUL[name] for (name,) in cursor.fetchall()]
