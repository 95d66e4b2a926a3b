"""Django admin of usage: to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from usage.models import DailyRollup, UsageRecord


class RecordsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To read: records are written once, by the calls themselves."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UsageRecord)
class UsageRecordAdmin(RecordsAdmin):
    """Calls."""

    list_display = ("started_at", "user", "course", "via", "operation", "model", "outcome", "code", "prompts")
    list_filter = ("outcome", "operation", "via", "role")
    search_fields = ("=call_id", "user__email", "model")
    list_select_related = ("user", "course")


@admin.register(DailyRollup)
class DailyRollupAdmin(RecordsAdmin):
    """The totals of complete days."""

    list_display = ("day", "user", "course", "operation", "model", "outcome", "calls", "prompts")
    list_filter = ("operation", "outcome", "role")
    search_fields = ("user__email", "model")
    list_select_related = ("user", "course")
