"""What this person may call, and where it goes."""

from dataclasses import replace

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.types import Principal
from core import clock
from core.types import Operation
from gateway import credentials
from gateway.errors import ModelNotFound
from gateway.models import Model, Provider, Route, Upstream
from gateway.types import Capability, Prices, ProviderKind, Target
from policies.errors import PolicyRefused
from policies.services import check_access

OPENAI_ADDRESS = "https://api.openai.com/v1"


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
    """
    asked = _enabled_models().filter(name=name, operation=operation).first()
    if asked is None or not asked.is_for(principal.role):
        raise ModelNotFound(param="model")
    check_access(role=principal.role, operation=operation, model=name)
    stand_in = _find_stand_in(principal, asked)
    answering = [stand_in] if _is_retired(asked) else [asked, stand_in]
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
    allowed = [set(route.upstream.extra_fields.split()) for route in model.routes_in_use] if model else []
    return sorted(set.intersection(*allowed)) if allowed else []


def list_offered() -> QuerySet[Model]:
    """The models there are to call today, whoever asks."""
    today = clock.local_day(clock.now())
    return _enabled_models().filter(Q(retires_on=None) | Q(retires_on__gt=today))


def list_catalog() -> QuerySet[Model]:
    """Every model, disabled ones included."""
    return Model.objects.select_related("fallback").prefetch_related("routes__upstream__provider")


def list_providers() -> QuerySet[Provider]:
    """Every provider with its upstreams."""
    return Provider.objects.prefetch_related("upstreams")


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
        prices=Prices(model.input_price, model.output_price, model.image_price),
    )


def access_of(upstream: Upstream) -> tuple[str, str]:
    """The address and the credential in clear: from the environment, or from the row."""
    if upstream.provider.kind == ProviderKind.LOCAL:
        return settings.LOCAL_MODEL_URL, ""
    if upstream.is_from_environment:
        return settings.OPENAI_BASE_URL or OPENAI_ADDRESS, settings.OPENAI_API_KEY
    return upstream.base_url or OPENAI_ADDRESS, credentials.decrypt(upstream.credential_encrypted)


def _enabled_models() -> QuerySet[Model]:
    routes = Route.objects.filter(is_enabled=True, upstream__is_enabled=True, upstream__provider__is_enabled=True)
    return Model.objects.filter(Exists(routes.filter(model=OuterRef("pk"))), is_enabled=True).prefetch_related(
        "routes__upstream__provider"
    )


def _find_stand_in(principal: Principal, model: Model) -> Model | None:
    """The model's stand-in, if it does the same and the person may use it too."""
    same = list_offered().filter(pk=model.fallback_id or 0, operation=model.operation).first()
    return same if same is not None and _may_use(principal, same) else None


def _is_retired(model: Model) -> bool:
    return model.retires_on is not None and model.retires_on <= clock.local_day(clock.now())


def _may_use(principal: Principal, model: Model) -> bool:
    if not model.is_for(principal.role):
        return False
    try:
        check_access(role=principal.role, operation=Operation(model.operation), model=model.name)
    except PolicyRefused:
        return False
    return True
