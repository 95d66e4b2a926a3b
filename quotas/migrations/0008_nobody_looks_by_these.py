"""Calls are looked for by neither their key nor their rule: every call writes two lines of indexes less."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

_INDEXES = {
    "quotas_ledgerentry_quota_id_748dae39": "quotas_ledgerentry (quota_id)",
    "quotas_reservation_key_id_4c675f04": "quotas_reservation (key_id)",
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("quotas", "0007_found_by_index")]

    operations: ClassVar = [
        # By hand, because on SQLite Django would rebuild the tables, and their triggers would be lost.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"drop index {name}", f"create index {name} on {columns}")
                for name, columns in _INDEXES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    "ledgerentry",
                    "quota",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The rule in force.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="quotas.quota",
                    ),
                ),
                migrations.AlterField(
                    "reservation",
                    "key",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.apikey",
                    ),
                ),
            ],
        ),
    ]
