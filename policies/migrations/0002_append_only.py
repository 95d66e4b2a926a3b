"""The database itself refuses to change what stands as evidence; see docs/decisions/0011-append-only.md.

Written by hand and apart from 0001, so that 0001 can be regenerated. SQLite loses triggers when Django rebuilds a
table: a later migration that alters one of these tables must run `refuse` again (a test notices).
"""

from django.db import migrations

TABLES = {
    "policies_acknowledgment": "true",
    "policies_clauseversion": "old.published_at is not null",
}

REFUSE = {
    "postgresql": (
        "create function {table}_is_kept() returns trigger language plpgsql as $$ begin raise exception '{table} rows are never changed or deleted'; end $$",
        "create trigger {table}_refuses_update before update on {table} for each row when ({kept}) execute function {table}_is_kept()",
        "create trigger {table}_refuses_delete before delete on {table} for each row when ({kept}) execute function {table}_is_kept()",
    ),
    "sqlite": (
        "create trigger {table}_refuses_update before update on {table} when {kept} begin select raise(abort, '{table} rows are never changed or deleted'); end",
        "create trigger {table}_refuses_delete before delete on {table} when {kept} begin select raise(abort, '{table} rows are never changed or deleted'); end",
    ),
}

ALLOW = {
    "postgresql": ("drop function {table}_is_kept() cascade",),
    "sqlite": ("drop trigger {table}_refuses_update", "drop trigger {table}_refuses_delete"),
}


def refuse(apps, schema_editor):
    run(REFUSE, schema_editor)


def allow(apps, schema_editor):
    run(ALLOW, schema_editor)


def run(statements, schema_editor):
    for table, kept in TABLES.items():
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement.format(table=table, kept=kept), params=None)


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial")]
    operations = [migrations.RunPython(refuse, allow)]
