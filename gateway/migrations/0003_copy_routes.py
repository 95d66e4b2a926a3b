from django.db import migrations


def copy_routes(apps, schema_editor):
    """Where each model's calls went becomes its first route."""
    Route = apps.get_model("gateway", "Route")
    for model in apps.get_model("gateway", "Model").objects.all():
        Route.objects.create(model=model, upstream_id=model.upstream_id, upstream_name=model.upstream_name)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_catalog")]

    operations = [migrations.RunPython(copy_routes, migrations.RunPython.noop)]
