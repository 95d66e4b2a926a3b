"""Names of request fields that no administrator may let pass."""

from django.db import migrations, models

import gateway.columns


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_known_days")]

    operations = [
        migrations.AlterField(
            model_name="upstream",
            name="extra_fields",
            field=models.CharField(
                blank=True,
                help_text="Names beyond OpenAI's published ones that may pass, separated by spaces, such as top_k.",
                max_length=500,
                validators=[gateway.columns.check_extra_fields],
                verbose_name="more request fields",
            ),
        ),
    ]
