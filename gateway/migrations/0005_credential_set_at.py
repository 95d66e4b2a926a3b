"""When a provider's credential was entered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_routes_alone")]

    operations = [
        migrations.AddField(
            model_name="upstream",
            name="credential_set_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="credential set"),
        ),
    ]
