"""Each of these indexes is the beginning of another one: what finds rows by it uses that, and every call writes less."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

_NAMES = {
    "user_id": "usage_usagerecord_user_id_2f8497c4",
    "course_id": "usage_usagerecord_course_id_db2abeed",
}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("usage", "0005_daily_total")]

    operations: ClassVar = [
        # By hand, because on SQLite Django would rebuild the table, and its triggers would be lost.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"drop index {name}", f"create index {name} on usage_usagerecord ({column})")
                for column, name in _NAMES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    "usagerecord",
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    "usagerecord",
                    "course",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="courses.course",
                    ),
                ),
            ],
        ),
    ]
