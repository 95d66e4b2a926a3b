"""Django admin of usage: to read."""

from django.contrib import admin

from audit.admin import ReadOnlyAdmin
from usage.models import DailyRollup, UsageRecord


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """Calls."""

    list_display = ("started_at", "user", "course", "via", "operation", "model", "outcome", "code", "prompts")
    list_filter = ("outcome", "operation", "via", "role")
    search_fields = ("=call_id", "user__email", "model")
    list_select_related = ("user", "course")


@admin.register(DailyRollup)
class DailyRollupAdmin(ReadOnlyAdmin):
    """The totals of complete days."""

    list_display = ("day", "user", "course", "operation", "model", "outcome", "calls", "prompts")
    list_filter = ("operation", "outcome", "role")
    search_fields = ("user__email", "model")
    list_select_related = ("user", "course")
