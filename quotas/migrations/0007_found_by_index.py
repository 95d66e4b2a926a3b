"""The running calls of a person are found by one index; entries that nobody made by hand cost no line of an index."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

_NAMES = {
    "actor_id": "quotas_ledgerentry_actor_id_c9ee45ee",
    "grant_id": "quotas_ledgerentry_grant_id_bb771869",
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("quotas", "0006_fewer_indexes")]

    operations: ClassVar = [
        migrations.RemoveIndex("reservation", "reservation_open_user"),
        migrations.AddIndex(
            "reservation",
            models.Index(
                fields=["user", "lease_until"],
                condition=Q(state__in=["held", "dispatched", "settled"]),
                name="reservation_open_user",
            ),
        ),
        # By hand, because on SQLite Django would rebuild the table, and its triggers would be lost.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"drop index {name}", f"create index {name} on quotas_ledgerentry ({column})")
                for column, name in _NAMES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    "ledgerentry",
                    "actor",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    "ledgerentry",
                    "grant",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="quotas.grant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            "ledgerentry",
            models.Index(fields=["grant"], condition=Q(grant__isnull=False), name="entry_by_grant"),
        ),
        migrations.AddIndex(
            "ledgerentry",
            models.Index(fields=["actor"], condition=Q(actor__isnull=False), name="entry_by_actor"),
        ),
    ]
