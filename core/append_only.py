"""Rows that are written once: books and records that people must be able to rely on.

A base for models, without a table of its own, and the migration operation that makes the database refuse as well.
A correction is a new row, never a changed one.
"""

from typing import Any, ClassVar, NoReturn

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_MESSAGE = "{table} rows are never changed or deleted"
_FUNCTION = f"""
create function {{table}}_is_kept() returns trigger language plpgsql as
$$ begin raise exception '{_MESSAGE}'; end $$
"""
_TRIGGER = "create trigger {table}_refuses_{change} before {change} on {table} "
_POSTGRESQL = f"{_TRIGGER} for each row execute function {{table}}_is_kept()"
_SQLITE = f"{_TRIGGER} begin select raise(abort, '{_MESSAGE}'); end"


def refuse_changes(table: str) -> migrations.RunPython:
    """A migration operation: from here on the database itself refuses to change or delete rows of `table`.

    Keep it in a migration apart from 0001, which may be regenerated. SQLite loses triggers when Django rebuilds a
    table: a later migration that alters the table must run this again (a test notices).
    """

    def refuse(apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        on_postgresql = editor.connection.vendor == "postgresql"
        if on_postgresql:
            editor.execute(_FUNCTION.format(table=table), params=None)
        for change in ("update", "delete"):
            editor.execute((_POSTGRESQL if on_postgresql else _SQLITE).format(table=table, change=change), params=None)

    def allow(apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            editor.execute(f"drop function {table}_is_kept() cascade", params=None)
            return
        for change in ("update", "delete"):
            editor.execute(f"drop trigger {table}_refuses_{change}", params=None)

    return migrations.RunPython(refuse, allow)


class AppendOnlyError(TypeError):
    """A program tried to change or remove a row that is written once."""


class _AppendOnlyQuerySet(models.QuerySet[Any]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(f"{self.model.__name__} rows are never updated; insert a correction.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError(f"{self.model.__name__} rows are never deleted.")


class AppendOnly(models.Model):
    """Refuses to save a row twice and to delete it."""

    objects: ClassVar[models.Manager[Any]] = _AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} rows are never updated; insert a correction.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted.")
