"""Records are looked for by their person, never by the key alone: every call writes a line of an index less."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("usage", "0010_groups_and_readings")]

    operations: ClassVar = [
        # By hand, because on SQLite Django would rebuild the table, and its triggers would be lost.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "drop index usage_usagerecord_key_id_5936934c",
                    "create index usage_usagerecord_key_id_5936934c on usage_usagerecord (key_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    "usagerecord",
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
