"""What this person may call, and where it goes."""

from django.conf import settings
from django.db.models import QuerySet

from accounts.types import Principal
from core.types import Operation
from gateway import credentials
from gateway.errors import ModelNotFound
from gateway.models import Model, Provider, Upstream
from gateway.types import ProviderKind, Target
from policies.errors import PolicyRefused
from policies.services import check_access

OPENAI_ADDRESS = "https://api.openai.com/v1"


def list_models_for(principal: Principal, operation: Operation | None = None) -> list[Model]:
    """The models the person may name now, the default of each tool first."""
    models = _enabled_models()
    if operation is not None:
        models = models.filter(operation=operation)
    return [model for model in models if _may_use(principal, model)]


def find_target(principal: Principal, name: str, operation: Operation) -> Target:
    """Where a call to the model goes, with the credential in clear. Names match exactly.

    Raises:
        ModelNotFound: no enabled model of that name does this operation.
        PolicyRefused: there is one, and a rule keeps it from this person's role.
    """
    model = _enabled_models().filter(name=name, operation=operation).first()
    if model is None:
        raise ModelNotFound(param="model")
    check_access(role=principal.role, operation=operation, model=name)
    return target_of(model)


def find_model_for(principal: Principal, name: str) -> Model | None:
    """The model of that name, if the person may name it now."""
    return next((model for model in list_models_for(principal) if model.name == name), None)


def list_extra_fields(name: str) -> list[str]:
    """The request fields an administrator allows for this model beyond OpenAI's own."""
    model = _enabled_models().filter(name=name).first()
    return model.upstream.extra_fields.split() if model else []


def list_catalog() -> QuerySet[Model]:
    """Every model, disabled ones included."""
    return Model.objects.select_related("upstream__provider")


def list_providers() -> QuerySet[Provider]:
    """Every provider with its upstreams."""
    return Provider.objects.prefetch_related("upstreams")


def target_of(model: Model) -> Target:
    """The model's rows as plain values."""
    upstream = model.upstream
    address, credential = access_of(upstream)
    return Target(
        model=model.name,
        upstream_model=model.upstream_name,
        provider=upstream.provider.slug,
        kind=ProviderKind(upstream.provider.kind),
        base_url=address,
        api_version=upstream.api_version,
        credential=credential,
        prompt_weight=model.prompt_weight,
        allows_many=model.allows_many,
        max_output_tokens=model.max_output_tokens,
    )


def access_of(upstream: Upstream) -> tuple[str, str]:
    """The address and the credential in clear: from the environment, or from the row."""
    if upstream.provider.kind == ProviderKind.LOCAL:
        return settings.LOCAL_MODEL_URL, ""
    if upstream.is_from_environment:
        return settings.OPENAI_BASE_URL or OPENAI_ADDRESS, settings.OPENAI_API_KEY
    return upstream.base_url or OPENAI_ADDRESS, credentials.decrypt(upstream.credential_encrypted)


def _enabled_models() -> QuerySet[Model]:
    return Model.objects.filter(
        is_enabled=True, upstream__is_enabled=True, upstream__provider__is_enabled=True
    ).select_related("upstream__provider")


def _may_use(principal: Principal, model: Model) -> bool:
    try:
        check_access(role=principal.role, operation=Operation(model.operation), model=model.name)
    except PolicyRefused:
        return False
    return True
