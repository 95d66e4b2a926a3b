"""Django admin for the catalog: another door to the same services."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from gateway import services
from gateway.forms import UpstreamForm
from gateway.models import Model, Provider, Upstream


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Organizations that run models."""

    list_display = ("name", "slug", "kind", "is_enabled")


@admin.register(Upstream)
class UpstreamAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
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


@admin.register(Model)
class ModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What people may name."""

    list_display = ("name", "label", "operation", "upstream", "prompt_weight", "position", "is_enabled")
    list_editable = ("position", "is_enabled")
    list_filter = ("operation", "upstream", "is_enabled")
    list_select_related = ("upstream__provider",)
    search_fields = ("name", "label")
