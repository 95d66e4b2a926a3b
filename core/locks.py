"""One at a time, where no row stands for what must not be done twice at once."""

from django.db import connection


def lock(name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it until the end of this one."""
    # SQLite lets one transaction write at a time anyway.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [name])
