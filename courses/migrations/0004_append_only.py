"""The database itself refuses to change a published rule and its acceptance; see docs/decisions/0011-append-only.md."""

from django.db import migrations

from core.append_only import refuse_changes


class Migration(migrations.Migration):
    dependencies = [("courses", "0003_rules")]
    operations = [refuse_changes("courses_courserule"), refuse_changes("courses_ruleacceptance")]
