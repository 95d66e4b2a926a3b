"""What this person may call, and where it goes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models as tables
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.types import Principal
from core import clock, credentials
from core.errors import NotFound
from core.text import one_line
from core.types import Operation
from gateway import columns, telemetry
from gateway.bill import Bill
from gateway.comparing import Named, Row, compare
from gateway.errors import CredentialLost, ModelNotFound
from gateway.models import Model, Provider, Route, Upstream
from gateway.routing import Circuit
from gateway.types import Capability, Prices, ProviderKind, Target
from policies.errors import PolicyRefused
from policies.services import check_access
from usage.selectors import count_recent_calls, list_calls_at

logger = logging.getLogger(__name__)

OPENAI_ADDRESS = "https://api.openai.com/v1"
RECENT = timedelta(minutes=15)
_SHOWN, _LEAST_SHOWN = 4, 16  # characters of a credential: so many are shown, of one that is at least so long

_Row = TypeVar("_Row", bound=tables.Model)


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider does: its calls of the last quarter of an hour, those of them it failed, and its upstreams now."""

    calls: int
    failed: int
    circuits: Mapping[int, Circuit]

    @property
    def worst(self) -> Circuit:
        """How the upstream stands that stands worst."""
        return max(self.circuits.values(), default=Circuit.WELL)


def list_models_for(principal: Principal, operation: Operation | None = None) -> list[Model]:
    """The models the person may name now, the default of each tool first."""
    models = list_offered()
    if operation is not None:
        models = models.filter(operation=operation)
    return [model for model in models if _may_use(principal, model)]


def find_target(principal: Principal, name: str, operation: Operation) -> Target:
    """Where a call to the model goes, with the credential in clear. Names match exactly.

    Raises:
        ModelNotFound: no enabled model of that name does this operation for people like this.
        PolicyRefused: there is one, and a rule keeps it from this person's role.
        CredentialLost: that of one of its places cannot be opened.
    """
    asked = _enabled_models().filter(name=name, operation=operation).first()
    if asked is None or not asked.is_for(principal.role):
        raise ModelNotFound(param="model")
    check_access(role=principal.role, operation=operation, model=name)
    stand_in = _find_stand_in(principal, asked)
    answering = [stand_in] if asked.is_retired else [asked, stand_in]
    targets = [target for model in answering if model is not None for target in targets_of(model)]
    if not targets:
        raise ModelNotFound(param="model")
    return _with_spares(targets)


def find_model_for(principal: Principal, name: str) -> Model | None:
    """The model of that name, if the person may name it now."""
    return next((model for model in list_models_for(principal) if model.name == name), None)


def list_extra_fields(name: str) -> list[str]:
    """The request fields an administrator allows for this model beyond OpenAI's own, at every upstream it has."""
    model = list_offered().filter(name=name).first()
    allowed = [columns.list_extra_fields(route.upstream.extra_fields) for route in model.routes_in_use] if model else []
    return sorted(set.intersection(*allowed)) if allowed else []


def list_offered() -> QuerySet[Model]:
    """The models there are to call today, whoever asks."""
    today = clock.local_day(clock.now())
    return _enabled_models().filter(Q(retires_on=None) | Q(retires_on__gt=today))


def list_catalog(*, search: str = "", operation: str = "", provider: str = "", state: str = "") -> QuerySet[Model]:
    """The models that match, disabled ones included.

    Args:
        search: a part of the name or the label.
        provider: the short name of one that answers for them.
        state: "on", "off", "retired", or "" for all.
    """
    models = Model.objects.select_related("fallback").prefetch_related("routes__upstream__provider")
    if wanted := one_line(search):
        models = models.filter(Q(name__icontains=wanted) | Q(label__icontains=wanted))
    if operation:
        models = models.filter(operation=operation)
    if provider:
        models = models.filter(Exists(Route.objects.filter(model=OuterRef("pk"), upstream__provider__slug=provider)))
    today = clock.local_day(clock.now())
    if state == "retired":
        return models.filter(retires_on__lte=today)
    return models.filter(is_enabled=state == "on") if state else models


def list_providers(*, search: str = "", kind: str = "", state: str = "") -> QuerySet[Provider]:
    """The providers that match, with their upstreams.

    Args:
        search: a part of the name or the short name.
        state: "on", "off", or "" for all.
    """
    providers = Provider.objects.prefetch_related("upstreams__routes")
    if wanted := one_line(search):
        providers = providers.filter(Q(name__icontains=wanted) | Q(slug__icontains=wanted))
    if kind:
        providers = providers.filter(kind=kind)
    return providers.filter(is_enabled=state == "on") if state else providers


def list_upstreams() -> QuerySet[Upstream]:
    """Every address of every provider."""
    return Upstream.objects.select_related("provider").order_by("provider__name", "name")


def get_model(model_id: int) -> Model:
    """One model with its routes.

    Raises:
        NotFound: there is none by that id.
    """
    return _found(list_catalog().filter(pk=model_id).first())


def get_provider(provider_id: int) -> Provider:
    """One provider with its upstreams.

    Raises:
        NotFound: there is none by that id.
    """
    return _found(list_providers().filter(pk=provider_id).first())


def get_upstream(upstream_id: int) -> Upstream:
    """One address with its provider and the routes that lead there.

    Raises:
        NotFound: there is none by that id.
    """
    return _found(list_upstreams().prefetch_related("routes__model").filter(pk=upstream_id).first())


def compare_with_bill(bill: Bill, provider: str) -> list[Row]:
    """What a provider bills beside what we recorded of its calls, by day of UTC and model.

    Args:
        provider: its short name.
    """
    calls = list_calls_at(provider, first_day=bill.first_day, last_day=bill.last_day)
    return compare(bill, _list_named(provider), calls)


def read_health() -> dict[str, Health]:
    """By the short name of a provider: what became of its calls lately, and how its places stand now."""
    counted = count_recent_calls(since=clock.now() - RECENT)
    circuits: dict[int, Circuit] = {}
    for (upstream_id, _name), circuit in telemetry.read_circuits().items():
        circuits[upstream_id] = max(circuit, circuits.get(upstream_id, Circuit.WELL))
    found = {}
    for provider in list_providers():
        calls, failed = counted.get(provider.slug, (0, 0))
        own = {upstream.pk: circuits.get(upstream.pk, Circuit.WELL) for upstream in provider.upstreams.all()}
        found[provider.slug] = Health(calls, failed, own)
    return found


def end_of_credential(upstream: Upstream) -> str | None:
    """The last characters of a stored credential, by which people tell it from another; "" of one that is short.

    None when no key that is known opens it.
    """
    try:
        secret = credentials.decrypt(upstream.credential_encrypted)
    except ImproperlyConfigured:
        return None
    return secret[-_SHOWN:] if len(secret) >= _LEAST_SHOWN else ""


def _list_named(provider: str) -> list[Named]:
    """The models that a provider has a name for; a retired one answers under its stand-in's too."""
    names: dict[int, set[str]] = {}
    for model_id, name in Route.objects.filter(upstream__provider__slug=provider).values_list("model", "upstream_name"):
        names.setdefault(model_id, set()).add(name)
    found = []
    for model in Model.objects.all():
        stand_ins = names.get(model.fallback_id or 0, set()) if model.is_retired else set()
        own = names.get(model.pk, set()) | stand_ins
        if own:
            most_output = model.max_output_tokens or model.context_tokens
            found.append(Named(model.name, frozenset(own), model.context_tokens, most_output))
    return found


def _found(row: _Row | None) -> _Row:
    if row is None:
        raise NotFound
    return row


def targets_of(model: Model) -> list[Target]:
    """The model's rows as plain values, one for each route in use."""
    return [_target_of(model, route) for route in model.routes_in_use]


def _with_spares(targets: list[Target]) -> Target:
    return replace(targets[0], spares=tuple(targets[1:]))


def _target_of(model: Model, route: Route) -> Target:
    upstream = route.upstream
    address, credential = access_of(upstream)
    return Target(
        model=model.name,
        upstream_model=route.upstream_name,
        provider=upstream.provider.slug,
        kind=ProviderKind(upstream.provider.kind),
        base_url=address,
        api_version=upstream.api_version,
        credential=credential,
        prompt_weight=model.prompt_weight,
        allows_many=model.allows_many,
        max_output_tokens=model.max_output_tokens,
        upstream_id=upstream.pk,
        position=route.position,
        weight=route.weight,
        most_parallel=upstream.most_parallel,
        speaks_responses=upstream.speaks_responses,
        capabilities=frozenset(map(Capability, model.capabilities)),
        image_weights=model.image_weights,
        prices=Prices(
            input=model.input_price,
            output=model.output_price,
            image=model.image_price,
            cached_input=model.cached_input_price,
        ),
    )


def access_of(upstream: Upstream) -> tuple[str, str]:
    """The address and the credential in clear: from the environment, or from the row.

    Raises:
        CredentialLost: it cannot be opened; the log says what to do.
    """
    if upstream.provider.kind == ProviderKind.LOCAL:
        return settings.LOCAL_MODEL_URL, ""
    if upstream.is_from_environment:
        return settings.OPENAI_BASE_URL or OPENAI_ADDRESS, settings.OPENAI_API_KEY
    own = OPENAI_ADDRESS if upstream.provider.kind == ProviderKind.OPENAI else ""
    try:
        return upstream.base_url or own, credentials.decrypt(upstream.credential_encrypted)
    except ImproperlyConfigured as error:
        logger.error("Nothing can be sent to %s. %s", upstream, error)
        raise CredentialLost from error


def _enabled_models() -> QuerySet[Model]:
    routes = Route.objects.filter(is_enabled=True, upstream__is_enabled=True, upstream__provider__is_enabled=True)
    return Model.objects.filter(Exists(routes.filter(model=OuterRef("pk"))), is_enabled=True).prefetch_related(
        "routes__upstream__provider"
    )


def _find_stand_in(principal: Principal, model: Model) -> Model | None:
    """The model's stand-in, if it does the same and the person may use it too."""
    same = list_offered().filter(pk=model.fallback_id or 0, operation=model.operation).first()
    return same if same is not None and _may_use(principal, same) else None


def _may_use(principal: Principal, model: Model) -> bool:
    if not model.is_for(principal.role):
        return False
    try:
        check_access(role=principal.role, operation=Operation(model.operation), model=model.name)
    except PolicyRefused:
        return False
    return True
