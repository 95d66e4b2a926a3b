"""What every room's Django admin is built on: tables that are only read, and tables whose changes are recorded."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from audit.models import Entry
from audit.services import record


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To read: nothing here is written by hand."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecordedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For tables the admin writes itself: each change is recorded in its transaction, as services do for theirs."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _record("create", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        fields = [field for part in message for field in part.get("changed", {}).get("fields", ())]
        _record("change", obj, {str(field): [None, True] for field in fields})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            _record("delete", obj)
        return super().log_deletions(request, queryset)


def _record(act: str, obj: Model, changes: dict[str, Any] | None = None) -> None:
    kind = str(obj._meta.model_name)
    record(f"{kind}.{act}", subject=f"{kind}/{obj.pk}", name=str(obj), changes=changes)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Acts of administrators and teachers."""

    list_display = ("number", "at", "actor", "action", "name", "reason")
    list_filter = ("through", "at")
    search_fields = ("actor", "name", "subject")
