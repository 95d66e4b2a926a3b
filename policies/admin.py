"""Django admin for clauses, acceptances and access rules: another door to the same services."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.authentication import principal_of
from audit.admin import ReadOnlyAdmin, RecordedAdmin
from policies import services
from policies.forms import VersionForm
from policies.models import AccessRule, Acknowledgment, Clause, ClauseVersion


@admin.register(Clause)
class ClauseAdmin(RecordedAdmin):
    """Subjects people must agree to; one without versions asks nothing."""

    list_display = ("slug", "position")


@admin.register(ClauseVersion)
class ClauseVersionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Drafts are written, published and thrown away here; what is published stays as it is."""

    form = VersionForm
    list_display = ("clause", "number", "title_en", "asks_again", "published_at", "published_by")
    list_filter = ("clause",)
    list_select_related = ("clause", "published_by")
    readonly_fields = ("number", "digest", "published_at", "published_by")
    actions = ("publish",)

    def get_fields(self, request: HttpRequest, obj: ClauseVersion | None = None) -> tuple[str, ...]:
        return ("clause", *VersionForm.Meta.fields, *(self.readonly_fields if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: ClauseVersion | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "clause") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: ClauseVersion, form: VersionForm, change: bool) -> None:
        if change:
            services.update_draft(version_id=obj.pk, **form.content())
        else:
            made = services.create_version(clause_id=obj.clause_id, **form.content())
            obj.pk, obj.number = made.pk, made.number

    def delete_model(self, request: HttpRequest, obj: ClauseVersion) -> None:
        services.delete_draft(version_id=obj.pk)

    @admin.action(description=_("Publish"))
    def publish(self, request: HttpRequest, queryset: QuerySet[ClauseVersion]) -> None:
        for version in queryset.order_by("clause", "number"):
            services.publish_version(version_id=version.pk, by_id=principal_of(request.user).user_id)
        messages.success(request, _("Published: from now on people are asked for it."))

    def has_change_permission(self, request: HttpRequest, obj: ClauseVersion | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_published)

    def has_delete_permission(self, request: HttpRequest, obj: ClauseVersion | None = None) -> bool:
        return obj is not None and not obj.is_published and super().has_delete_permission(request, obj)


@admin.register(Acknowledgment)
class AcknowledgmentAdmin(ReadOnlyAdmin):
    """Who accepted what and when: evidence, to read only."""

    list_display = ("user", "version", "at", "language", "reason")
    list_filter = ("version", "language", "at")
    list_select_related = ("user", "version__clause")
    search_fields = ("user__email", "digest")


@admin.register(AccessRule)
class AccessRuleAdmin(RecordedAdmin):
    """Who may use what. The most specific rule decides; without one the use is allowed."""

    list_display = ("role", "operation", "model", "is_allowed", "note")
    list_display_links = ("role", "operation", "model")
    list_filter = ("role", "operation", "is_allowed")
