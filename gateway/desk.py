"""The administrators' pages of the catalog: models and their routes, providers, their addresses and how they do."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import role_required
from accounts.types import Role
from audit.lists import Column, Listing
from gateway import selectors, services
from gateway.examining import Examination, describe_calls, describe_circuit
from gateway.forms import (
    AddressForm,
    CatalogFilterForm,
    CatalogForm,
    ProviderFilterForm,
    ProviderForm,
    RouteForms,
    columns_of,
)
from gateway.models import Model, Provider, Upstream
from gateway.selectors import Health
from quotas.types import Unit
from quotas.wording import write_amount

MODELS = Listing(
    name="models",
    columns=(
        Column("name", gettext_lazy("Name in the API"), lambda model: model.name, "name"),
        Column("label", gettext_lazy("Label"), lambda model: model.label, "label", is_below=True),
        Column("operation", gettext_lazy("Tool"), lambda model: model.operation, "operation"),
        Column(
            "state",
            gettext_lazy("State"),
            lambda model: "on" if model.is_enabled else "off",
            "is_enabled",
            is_below=True,
        ),
        Column("weight", gettext_lazy("Weight"), lambda model: model.prompt_weight, "prompt_weight", is_number=True),
        Column("input", gettext_lazy("Input price"), lambda model: _price(model.input_price), is_number=True),
        Column("output", gettext_lazy("Output price"), lambda model: _price(model.output_price), is_below=True),
        Column("image", gettext_lazy("Image price"), lambda model: _price(model.image_price), is_number=True),
        Column("audience", gettext_lazy("For whom"), lambda model: " ".join(model.audience)),
        Column("fallback", gettext_lazy("Stand-in"), lambda model: model.fallback and model.fallback.name),
        Column("retires", gettext_lazy("Retired from"), lambda model: model.retires_on, is_below=True),
        Column("routes", gettext_lazy("Routes"), lambda model: len(model.routes_in_use), is_number=True),
        Column("position", gettext_lazy("Position"), lambda model: model.position, "position", is_number=True),
    ),
    row="gateway/_model_row.html",
    order="operation",
)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def models(request: HttpRequest) -> HttpResponseBase:
    """The catalog, searched and filtered as the address says."""
    form = CatalogFilterForm(request.GET)
    found = selectors.list_catalog(**form.cleaned_data) if form.is_valid() else None
    return MODELS.answer(request, found, template="gateway/models.html", form=form)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_model(request: HttpRequest) -> HttpResponse:
    """A model that is not in the catalog yet."""
    form, routes = CatalogForm(request.POST or None), RouteForms(request.POST or None, prefix="routes")
    if form.is_valid() and routes.is_valid():
        try:
            made = services.create_model(columns=form.cleaned_data, routes=columns_of(routes))
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is in the catalog.") % {"name": made.label})
            return redirect("manage_model", made.pk)
    return _model_page(request, {"form": form, "routes": routes})


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def model(request: HttpRequest, model_id: int) -> HttpResponse:
    """One model; POST changes it from the next call on."""
    shown = selectors.get_model(model_id)
    # Of its own, so that the heading keeps what is saved while the form holds what is not.
    form = CatalogForm(request.POST or None, instance=selectors.get_model(model_id))
    routes = RouteForms(request.POST or None, prefix="routes", initial=_routes_of(shown))
    if form.is_valid() and routes.is_valid():
        try:
            services.update_model(model_id=model_id, columns=form.cleaned_data, routes=columns_of(routes))
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is changed.") % {"name": form.cleaned_data["label"]})
            return redirect("manage_model", model_id)
    return _model_page(request, {"form": form, "routes": routes, "model": shown})


@never_cache
@role_required(Role.ADMIN)
@require_GET
def providers(request: HttpRequest) -> HttpResponseBase:
    """Who runs the models, and how they do."""
    form = ProviderFilterForm(request.GET)
    found = selectors.list_providers(**form.cleaned_data) if form.is_valid() else None
    health = selectors.read_health()
    context = {"health": health}
    return _providers(health).answer(request, found, template="gateway/providers.html", form=form, context=context)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_provider(request: HttpRequest) -> HttpResponse:
    """A provider with its first address."""
    form = ProviderForm(request.POST or None)
    place = AddressForm(
        request.POST or None,
        prefix="address",
        initial={"name": "default"},
        instance=Upstream(provider=form.instance),  # its kind is known once its form is valid
    )
    if form.is_valid() and place.is_valid():
        try:
            made = services.create_provider(columns=form.cleaned_data, address=place.columns(), secret=place.secret)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is there. Test its address, then give it models.") % {"name": made})
            return redirect("manage_provider", made.pk)
    return _answer(request, "gateway/provider.html", {"form": form, "address_form": place})


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def provider(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider and its addresses; POST changes it from the next call on."""
    shown = selectors.get_provider(provider_id)
    form = ProviderForm(request.POST or None, instance=selectors.get_provider(provider_id))
    if form.is_valid():
        try:
            services.update_provider(provider_id=provider_id, columns=form.cleaned_data)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is changed.") % {"name": form.cleaned_data["name"]})
            return redirect("manage_provider", provider_id)
    health = selectors.read_health()[shown.slug]
    return _answer(request, "gateway/provider.html", {"form": form, "provider": shown, "health": health})


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_address(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One more address of a provider."""
    shown = selectors.get_provider(provider_id)
    form = AddressForm(request.POST or None)
    if form.is_valid():
        try:
            made = services.create_upstream(provider_id=provider_id, columns=form.columns(), secret=form.secret)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("The address is there. Test it now."))
            return redirect("manage_address", made.pk)
    return _answer(request, "gateway/address.html", {"form": form, "provider": shown})


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def address(request: HttpRequest, upstream_id: int) -> HttpResponse:
    """One address; POST changes it, and its credential where one was entered, from the next call on."""
    form = AddressForm(request.POST or None, instance=selectors.get_upstream(upstream_id))
    if form.is_valid():
        try:
            services.update_upstream(upstream_id=upstream_id, columns=form.columns(), secret=form.secret)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("The address is changed. Test it now."))
            return redirect("manage_address", upstream_id)
    return _address_page(request, upstream_id, form=form)


@role_required(Role.ADMIN)
@require_POST
def test(request: HttpRequest, upstream_id: int) -> HttpResponse:
    """Ask the address for its models now, and say what came of it."""
    return _address_page(request, upstream_id, found=services.examine_upstream(upstream_id=upstream_id))


@role_required(Role.ADMIN)
@require_POST
def forget(request: HttpRequest, upstream_id: int) -> HttpResponse:
    """Take the stored credential away."""
    services.set_credential(upstream_id=upstream_id, secret="")
    messages.success(request, _("The credential is gone."))
    return redirect("manage_address", upstream_id)


def _providers(health: Mapping[str, Health]) -> Listing:
    def of(provider: Provider) -> Health:
        return health[provider.slug]

    return Listing(
        name="providers",
        columns=(
            Column("name", gettext_lazy("Name"), lambda provider: provider.name, "name"),
            Column("slug", gettext_lazy("Short name"), lambda provider: provider.slug, "slug"),
            Column("kind", gettext_lazy("Kind"), lambda provider: provider.get_kind_display(), "kind"),
            Column(
                "addresses", gettext_lazy("Addresses"), lambda provider: len(provider.upstreams.all()), is_number=True
            ),
            Column("calls", gettext_lazy("Last 15 minutes"), lambda provider: describe_calls(of(provider))),
            Column("health", gettext_lazy("Health"), lambda provider: describe_circuit(of(provider).worst)),
            Column(
                "state", gettext_lazy("State"), lambda provider: "on" if provider.is_enabled else "off", "is_enabled"
            ),
        ),
        row="gateway/_provider_row.html",
        order="name",
    )


def _price(micro: int | None) -> str:
    return write_amount(Unit.MONEY, micro)


def _routes_of(model: Model) -> list[dict[str, Any]]:
    names = ("upstream", "upstream_name", "position", "weight", "is_enabled")
    return [{name: getattr(route, name) for name in names} for route in model.routes.all()]


def _model_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    routes = context["routes"]
    failed = context["form"].errors or (routes.is_bound and not routes.is_valid())
    return render(request, "gateway/model.html", context, status=400 if failed else 200)


def _address_page(
    request: HttpRequest, upstream_id: int, *, form: AddressForm | None = None, found: Examination | None = None
) -> HttpResponse:
    shown: Upstream = selectors.get_upstream(upstream_id)
    context = {
        "form": form or AddressForm(instance=selectors.get_upstream(upstream_id)),
        "provider": shown.provider,
        "address": shown,
        "end": partial(selectors.end_of_credential, shown),
        "found": found,
        "circuit": selectors.read_health()[shown.provider.slug].circuits[upstream_id],
        "proxy": settings.UPSTREAM_PROXY,
        "authorities": settings.UPSTREAM_CA_FILE,
    }
    return _answer(request, "gateway/address.html", context)


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    failed = any(isinstance(form, BaseForm) and form.errors for form in context.values())
    return render(request, template, context, status=400 if failed else 200)
