"""Calls that run are few, and found by one index; nobody looks for all calls of a person: three lines of indexes less."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

_OPEN = "state in ('held', 'dispatched', 'settled')"
_INDEXES = {
    "reservation_open_lease": f"quotas_reservation (lease_until) where {_OPEN}",
    "quotas_reservation_user_id_44bcc0f3": "quotas_reservation (user_id)",
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("quotas", "0008_nobody_looks_by_these"),
    ]

    operations: ClassVar = [
        # By hand, because on SQLite Django would rebuild the table.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"drop index {name}", f"create index {name} on {columns}")
                for name, columns in _INDEXES.items()
            ],
            state_operations=[
                migrations.RemoveIndex("reservation", "reservation_open_lease"),
                migrations.AlterField(
                    "reservation",
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
