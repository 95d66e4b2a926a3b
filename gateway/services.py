"""Managing the catalog: what there is to call, and the credentials it needs."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from accounts.services import encrypt_second_factors
from audit.services import differences, record
from core import clock, credentials
from core.errors import NotFound
from core.types import Operation
from gateway.errors import UpstreamError
from gateway.examining import Examination, describe_failure, describe_listing
from gateway.models import Model, Provider, Route, Upstream
from gateway.selectors import access_of
from gateway.types import Capability, DataClass, ProviderKind, Target
from gateway.upstreams import get_adapter
from usage.services import raise_alarm
from usage.types import AlarmKind

logger = logging.getLogger(__name__)

_Row = TypeVar("_Row", bound=models.Model)

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
# Kinds whose list of models says nothing about what may be called: Azure is asked for deployments of its own naming.
_LISTS_OTHER_NAMES = (ProviderKind.AZURE, ProviderKind.PLACEHOLDER)
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
        model="",
        upstream_model="",
        provider=upstream.provider.slug,
        kind=kind,
        base_url=address,
        api_version=upstream.api_version,
        credential=credential,
    )
    return get_adapter(kind).list_model_names(target)


def examine_upstream(*, upstream_id: int) -> Examination:
    """Ask an upstream for its models now, and say in words what came of it. The log says who asked.

    Raises:
        NotFound: there is no such upstream.
    """
    upstream = Upstream.objects.select_related("provider").filter(id=upstream_id).first()
    if upstream is None:
        raise NotFound
    began = time.monotonic()
    try:
        offered = list_offered_models(upstream)
    except UpstreamError as error:
        found = describe_failure(error)
    else:
        wanted = set(upstream.routes.filter(is_enabled=True).values_list("upstream_name", flat=True))
        if upstream.provider.kind in _LISTS_OTHER_NAMES:
            wanted = set()
        found = describe_listing(offered, wanted, milliseconds=round((time.monotonic() - began) * 1000))
    record(
        "upstream.test", subject=f"upstream/{upstream.pk}", name=str(upstream), changes={"well": [None, found.is_well]}
    )
    return found


@transaction.atomic
def set_credential(*, upstream_id: int, secret: str) -> None:
    """Keep the secret of an upstream, encrypted; "" removes it. The log says that it changed, never what it is."""
    upstream = Upstream.objects.select_for_update().select_related("provider").filter(id=upstream_id).first()
    if upstream is None:
        raise NotFound
    upstream.credential_encrypted = credentials.encrypt(secret)
    upstream.credential_set_at = clock.now() if secret else None
    upstream.save(update_fields=["credential_encrypted", "credential_set_at"])
    changes = {"removed": [None, not secret]}
    record("upstream.set_credential", subject=f"upstream/{upstream_id}", name=str(upstream), changes=changes)


@transaction.atomic
def create_model(*, columns: Mapping[str, Any], routes: Sequence[Mapping[str, Any]] = ()) -> Model:
    """Put a model into the catalog.

    Args:
        columns: of Model, by name.
        routes: columns of Route, one mapping for each.

    Raises:
        ValidationError: by field.
    """
    model = Model(**columns)
    _check_model(model)
    model.save()
    _set_routes(model, routes)
    _record("create", model, differences({}, _state_of(model, columns) | _words_of_routes(model)))
    return model


@transaction.atomic
def update_model(
    *, model_id: int, columns: Mapping[str, Any], routes: Sequence[Mapping[str, Any]] | None = None
) -> Model:
    """Change columns of a model; its routes are replaced, unless None is given. Holds from the next call on.

    Raises:
        NotFound: there is no such model.
        ValidationError: by field.
    """
    model = _lock(Model, model_id)
    before = _state_of(model, columns) | _words_of_routes(model)
    _set_columns(model, columns)
    _check_model(model)
    model.save()
    if routes is not None:
        _set_routes(model, routes)
    _record("change", model, differences(before, _state_of(model, columns) | _words_of_routes(model)))
    return model


@transaction.atomic
def create_provider(*, columns: Mapping[str, Any], address: Mapping[str, Any], secret: str = "") -> Provider:
    """A provider with its first address.

    Args:
        columns: of Provider, by name.
        address: columns of Upstream, by name.

    Raises:
        ValidationError: by field.
    """
    provider = Provider(**columns)
    provider.full_clean()
    provider.save()
    _record("create", provider, differences({}, _state_of(provider, columns)))
    create_upstream(provider_id=provider.pk, columns=address, secret=secret)
    return provider


@transaction.atomic
def update_provider(*, provider_id: int, columns: Mapping[str, Any]) -> Provider:
    """Change columns of a provider.

    Raises:
        NotFound: there is no such provider.
        ValidationError: by field.
    """
    provider = _lock(Provider, provider_id)
    before = _state_of(provider, columns)
    _set_columns(provider, columns)
    provider.full_clean()
    provider.save()
    _record("change", provider, differences(before, _state_of(provider, columns)))
    return provider


@transaction.atomic
def create_upstream(*, provider_id: int, columns: Mapping[str, Any], secret: str = "") -> Upstream:
    """One more address of a provider.

    Raises:
        NotFound: there is no such provider.
        ValidationError: by field.
    """
    upstream = Upstream(provider=_lock(Provider, provider_id), **columns)
    upstream.full_clean()
    upstream.save()
    _record("create", upstream, differences({}, _state_of(upstream, columns)))
    if secret:
        set_credential(upstream_id=upstream.pk, secret=secret)
    return upstream


@transaction.atomic
def update_upstream(*, upstream_id: int, columns: Mapping[str, Any], secret: str = "") -> Upstream:
    """Change columns of an address, and its credential when one is given.

    Raises:
        NotFound: there is no such address.
        ValidationError: by field; a stored credential does not move to another machine by itself.
    """
    upstream = _lock(Upstream, upstream_id)
    before = _state_of(upstream, columns)
    check_credential_stays(upstream, base_url=str(columns.get("base_url", upstream.base_url)), secret=secret)
    _set_columns(upstream, columns)
    upstream.full_clean()
    upstream.save()
    _record("change", upstream, differences(before, _state_of(upstream, columns)))
    if secret:
        set_credential(upstream_id=upstream.pk, secret=secret)
    return upstream


def check_credential_stays(upstream: Upstream, *, base_url: str, secret: str) -> None:
    """Nobody who cannot read a stored credential may have it sent to a machine of their own.

    Args:
        upstream: as it is stored.
        base_url: what its address is to be.

    Raises:
        ValidationError: the address is of another machine than the one the credential was entered for.
    """
    is_elsewhere = urlsplit(base_url)[:2] != urlsplit(upstream.base_url)[:2]
    if upstream.credential_encrypted and is_elsewhere and not secret:
        raise ValidationError(
            {"credential": _("Enter the credential again: the stored one was entered for another address.")}
        )


def rotate_credentials() -> int:
    """Encrypt every credential and second factor again under the present key; how many there were."""
    with transaction.atomic():
        upstreams = list(Upstream.objects.exclude(credential_encrypted="").select_for_update())
        for upstream in upstreams:
            upstream.credential_encrypted = credentials.encrypt(credentials.decrypt(upstream.credential_encrypted))
        Upstream.objects.bulk_update(upstreams, ["credential_encrypted"])
        count = len(upstreams) + encrypt_second_factors()
        record("credentials.rotate", subject="credentials", changes={"encrypted": [None, count]})
    return count


def _check_model(model: Model) -> None:
    model.full_clean()
    stand_in = model.fallback
    if stand_in is None:
        return
    if stand_in.pk == model.pk:
        raise ValidationError({"fallback": _("A model cannot stand in for itself.")})
    if stand_in.operation != model.operation:
        raise ValidationError({"fallback": _("The stand-in must be for the same tool.")})


def _set_routes(model: Model, routes: Sequence[Mapping[str, Any]]) -> None:
    places = [(columns["upstream"].pk, columns["upstream_name"]) for columns in routes]
    if len(set(places)) < len(places):
        raise ValidationError(_("Two routes lead to the same place. Leave one of them out."))
    model.routes.all().delete()
    Route.objects.bulk_create(Route(model=model, **columns) for columns in routes)


def _words_of_routes(model: Model) -> dict[str, str]:
    routes = model.routes.select_related("upstream__provider")
    said = (f"{route} #{route.position} x{route.weight}{'' if route.is_enabled else ' off'}" for route in routes.all())
    return {"routes": "; ".join(said)}


def _lock(kind: type[_Row], row_id: int) -> _Row:
    row = kind._default_manager.select_for_update().filter(pk=row_id).first()
    if row is None:
        raise NotFound
    return row


def _set_columns(row: models.Model, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def _state_of(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _record(act: str, row: models.Model, changes: Mapping[str, Any]) -> None:
    """As the administrators' other door, /admin/, records it (audit.admin). Nothing changed, nothing is said."""
    kind = str(row._meta.model_name)
    if changes or act != "change":
        record(f"{kind}.{act}", subject=f"{kind}/{row.pk}", name=str(row), changes=changes)


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
    provider, _new = Provider.objects.get_or_create(slug=slug, defaults={"name": name, "kind": kind})
    upstream, _new = Upstream.objects.update_or_create(
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


def tell_away(places: Iterable[Target]) -> None:
    """Tell administrators of providers that do not answer: once a day each, by the first place that is away."""
    for place in places:
        facts = {"provider": place.provider, "model": place.model}
        window = f"{clock.local_day(clock.now())}"
        raise_alarm(AlarmKind.PROVIDER_AWAY, subject=place.provider, window=window, facts=facts)
