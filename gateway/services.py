"""Managing the catalog: what there is to call, and the credentials it needs."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from audit.services import record
from core.types import Operation
from gateway import credentials
from gateway.errors import UpstreamError
from gateway.models import Model, Provider, Route, Upstream
from gateway.selectors import access_of
from gateway.types import Capability, DataClass, ProviderKind, Target
from gateway.upstreams import get_adapter

logger = logging.getLogger(__name__)

LOCAL_MODEL_NAME = "smollm2-135m-instruct"
PLACEHOLDER_NAME = "placeholder-image"
# What a provider lists beside the models of our operations: other rooms of its house.
_OTHER_TOOLS = (
    "whisper",
    "tts-",
    "sora",
    "davinci-",
    "babbage-",
    "gpt-realtime",
    "gpt-audio",
)
_LAST = 100  # position of the small stand-ins: behind every configured model


def sync_catalog() -> None:
    """Make sure the built-in models and those of OPENAI_API_KEY are in the catalog. Run at every start.

    Idempotent, and polite: what an administrator changed or switched off stays so. Only the switch of an upstream
    follows the environment, because without LOCAL_MODEL or OPENAI_API_KEY nobody would answer there.
    """
    with transaction.atomic():
        _offer_local_model()
        _offer_placeholder()
        upstream = _follow_environment()
    if upstream is not None:
        _discover_models(upstream)


def list_offered_models(upstream: Upstream) -> list[str]:
    """Ask an upstream which models it offers, under its own names.

    Raises:
        UpstreamError: it could not be reached, or did not answer as expected.
    """
    address, credential = access_of(upstream)
    kind = ProviderKind(upstream.provider.kind)
    target = Target(
        model="", upstream_model="", provider=upstream.provider.slug, kind=kind, base_url=address, credential=credential
    )
    return get_adapter(kind).list_model_names(target)


@transaction.atomic
def set_credential(*, upstream_id: int, secret: str) -> None:
    """Keep the secret of an upstream, encrypted; "" removes it. The log says that it changed, never what it is."""
    Upstream.objects.filter(id=upstream_id).update(credential_encrypted=credentials.encrypt(secret))
    record("upstream.set_credential", subject=f"upstream/{upstream_id}", changes={"removed": [None, not secret]})


def set_routes(*, model_id: int, routes: Sequence[Mapping[str, Any]]) -> None:
    """Replace the routes of a model by these columns of Route."""
    with transaction.atomic():
        Route.objects.filter(model_id=model_id).delete()
        Route.objects.bulk_create(Route(model_id=model_id, **columns) for columns in routes)


def rotate_credentials() -> int:
    """Encrypt every credential again under the present key; how many there were."""
    with transaction.atomic():
        upstreams = list(Upstream.objects.exclude(credential_encrypted="").select_for_update())
        for upstream in upstreams:
            upstream.credential_encrypted = credentials.encrypt(credentials.decrypt(upstream.credential_encrypted))
        Upstream.objects.bulk_update(upstreams, ["credential_encrypted"])
    return len(upstreams)


def _offer_local_model() -> None:
    upstream = _built_in("local", "Built-in model", ProviderKind.LOCAL, is_enabled=settings.LOCAL_MODEL)
    _offer_model(
        LOCAL_MODEL_NAME,
        upstream,
        label="SmolLM2 135M (local demo)",
        description="A small demonstration model that runs on this machine: fluent English, often wrong.",
        capabilities=[Capability.TOOLS, Capability.JSON_SCHEMA, Capability.LOGPROBS],
        data_class=DataClass.CONFIDENTIAL,  # nothing leaves the machine
        context_tokens=4096,
        max_output_tokens=1024,
        input_price=0,
        output_price=0,
        position=_LAST,
    )


def _offer_placeholder() -> None:
    upstream = _built_in("placeholder", "Placeholder", ProviderKind.PLACEHOLDER, is_enabled=True)
    _offer_model(
        PLACEHOLDER_NAME,
        upstream,
        label="Placeholder card (no AI)",
        description="Draws your prompt on a labelled card. No image model is configured.",
        operation=Operation.IMAGE,
        data_class=DataClass.CONFIDENTIAL,
        image_price=0,
        position=_LAST,
    )


def _follow_environment() -> Upstream | None:
    """The upstream of OPENAI_API_KEY and OPENAI_BASE_URL, switched on while one of them is set."""
    is_set = bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL)
    if not is_set and not Upstream.objects.filter(is_from_environment=True).exists():
        return None
    host = urlsplit(settings.OPENAI_BASE_URL).hostname or ""
    kind = ProviderKind.OPENAI if host in ("", "api.openai.com") else ProviderKind.COMPATIBLE
    name = "OpenAI" if kind == ProviderKind.OPENAI else host
    upstream = _built_in("openai", name, kind, is_enabled=is_set, is_from_environment=True)
    if is_set and upstream.provider.kind != kind:
        Provider.objects.filter(id=upstream.provider_id).update(kind=kind, name=name)
    return upstream if is_set else None


def _built_in(
    slug: str, name: str, kind: ProviderKind, *, is_enabled: bool, is_from_environment: bool = False
) -> Upstream:
    provider, _ = Provider.objects.get_or_create(slug=slug, defaults={"name": name, "kind": kind})
    upstream, _ = Upstream.objects.update_or_create(
        provider=provider,
        name="default",
        defaults={"is_enabled": is_enabled, "is_from_environment": is_from_environment},
        create_defaults={
            "is_enabled": is_enabled,
            "is_from_environment": is_from_environment,
            "speaks_responses": kind == ProviderKind.OPENAI,
        },
    )
    return upstream


def _discover_models(upstream: Upstream) -> None:
    try:
        names = list_offered_models(upstream)
    except UpstreamError:
        logger.warning("The provider at OPENAI_BASE_URL did not list its models; the catalog stays as it is.")
        return
    for name in names:
        if len(name) > 120 or name.startswith(_OTHER_TOOLS):
            continue
        _offer_model(name, upstream, label=name[:80], operation=_guess_operation(name))


def _offer_model(name: str, upstream: Upstream, **columns: Any) -> None:
    """Put a model with one route into the catalog; a name that is there already stays as it is."""
    model, is_new = Model.objects.get_or_create(name=name, defaults=columns)
    if is_new:
        Route.objects.create(model=model, upstream=upstream, upstream_name=name)


def _guess_operation(name: str) -> Operation:
    """What a model of this name does; an administrator can change it (interfaces.md)."""
    lowered = name.lower()
    if "image" in lowered or "dall-e" in lowered:
        return Operation.IMAGE
    if "moderation" in lowered:
        return Operation.MODERATION
    return Operation.EMBEDDING if "embed" in lowered else Operation.CHAT
