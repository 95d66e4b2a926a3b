"""Django admin for the catalog: another door to the same services."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.admin import RecordedAdmin
from gateway import services
from gateway.forms import ModelForm, UpstreamForm
from gateway.models import Model, Provider, Route, Upstream


@admin.register(Provider)
class ProviderAdmin(RecordedAdmin):
    """Organizations that run models."""

    list_display = ("name", "slug", "kind", "is_enabled")


@admin.register(Upstream)
class UpstreamAdmin(RecordedAdmin):
    """Where their models are reached, and with which credential."""

    form = UpstreamForm
    list_display = ("__str__", "base_url", "has_credential", "is_from_environment", "is_enabled")
    list_filter = ("provider",)
    list_select_related = ("provider",)
    readonly_fields = ("is_from_environment",)

    @admin.display(boolean=True, description=_("credential"))
    def has_credential(self, upstream: Upstream) -> bool:
        return bool(upstream.credential_encrypted)

    def save_model(self, request: HttpRequest, obj: Upstream, form: UpstreamForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.cleaned_data["credential"]:
            services.set_credential(upstream_id=obj.pk, secret=form.cleaned_data["credential"])


class RouteInline(admin.TabularInline):  # type: ignore[type-arg]
    """Where a model's calls go."""

    model = Route
    extra = 1


@admin.register(Model)
class ModelAdmin(RecordedAdmin):
    """What people may name."""

    form = ModelForm
    inlines = (RouteInline,)
    list_display = ("name", "label", "operation", "prompt_weight", "retires_on", "position", "is_enabled")
    list_editable = ("position", "is_enabled")
    list_filter = ("operation", "routes__upstream", "is_enabled")
    search_fields = ("name", "label")
