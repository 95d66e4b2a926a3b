"""What was said in a line becomes the first branch: an answer follows its question, a question the message before it."""

from django.db import migrations
from django.db.models import OuterRef, Subquery


def follow(apps, schema_editor):
    Message = apps.get_model("chat", "Message")
    earlier = Message.objects.filter(conversation=OuterRef("conversation"), pk__lt=OuterRef("pk")).order_by("-pk")
    questions = earlier.filter(author="person")
    Message.objects.filter(author="model").update(parent=Subquery(questions.values("pk")[:1]))
    Message.objects.filter(author="person").update(parent=Subquery(earlier.values("pk")[:1]))


class Migration(migrations.Migration):
    dependencies = [("chat", "0004_branches")]
    operations = [migrations.RunPython(follow, migrations.RunPython.noop)]
