from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_copy_routes")]

    operations = [
        migrations.RemoveField(model_name="model", name="upstream"),
        migrations.RemoveField(model_name="model", name="upstream_name"),
    ]
