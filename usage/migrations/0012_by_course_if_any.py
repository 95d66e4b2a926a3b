"""Most calls are made in no course: they need no line in the index by course."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("usage", "0011_nobody_looks_by_key")]

    operations: ClassVar = [
        migrations.RemoveIndex("usagerecord", "usage_by_course"),
        migrations.AddIndex(
            "usagerecord",
            models.Index(
                fields=["course", "-started_at"], condition=models.Q(course__isnull=False), name="usage_by_course"
            ),
        ),
    ]
