"""What was rolled up before has no groups and no readings: the next `roll_up` writes every day anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0009_subscription"),
    ]

    operations = [
        migrations.RunSQL(
            [
                "update usage_rollupday set complete = false",
                "delete from usage_dailyrollup",
                "delete from usage_dailytotal",
            ],
            migrations.RunSQL.noop,
        ),
        migrations.CreateModel(
            name="DailyGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                ("calls", models.PositiveIntegerField(default=0)),
                ("prompts", models.PositiveIntegerField(default=0)),
                ("input_tokens", models.PositiveBigIntegerField(default=0)),
                ("output_tokens", models.PositiveBigIntegerField(default=0)),
                ("images", models.PositiveIntegerField(default=0)),
                ("cost_micro", models.PositiveBigIntegerField(default=0)),
                ("kind", models.CharField(max_length=16)),
                ("value", models.CharField(blank=True, max_length=120)),
                ("people", models.PositiveIntegerField(default=0)),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "day"], name="group_by_day")],
                "constraints": [models.UniqueConstraint(fields=("kind", "value", "day"), name="group_once_a_day")],
            },
        ),
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("measure", models.CharField(max_length=16)),
                ("column", models.BinaryField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("measure", "day"), name="reading_once_a_day")],
            },
        ),
    ]
