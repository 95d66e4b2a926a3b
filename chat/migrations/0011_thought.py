from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0010_instructions"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="thought",
            field=models.TextField(blank=True, help_text="How the AI model came to its answer, where it says so."),
        ),
    ]
