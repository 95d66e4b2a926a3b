"""Each of these indexes is the beginning of another one: what finds rows by it uses that, and every call writes less."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

_NAMES = {
    "allowance_id": "quotas_ledgerentry_allowance_id_52a9fb03",
    "reservation_id": "quotas_ledgerentry_reservation_id_b1cd5b60",
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("quotas", "0005_more_when_justified")]

    operations: ClassVar = [
        # By hand, because on SQLite Django would rebuild the table, and its triggers would be lost.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"drop index {name}", f"create index {name} on quotas_ledgerentry ({column})")
                for column, name in _NAMES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    "ledgerentry",
                    "allowance",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="quotas.allowance",
                    ),
                ),
                migrations.AlterField(
                    "ledgerentry",
                    "reservation",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="quotas.reservation",
                    ),
                ),
            ],
        ),
    ]
