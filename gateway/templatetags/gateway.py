"""The catalog on pages of rooms that do not know it."""

from collections.abc import Collection, Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.authentication import principal_of
from core.types import Operation
from gateway.examining import describe_calls, describe_circuit
from gateway.routing import Circuit
from gateway.selectors import Health, list_models_for, list_offered

register = template.Library()

_TONES = {Circuit.WELL: "ok", Circuit.STUMBLING: "warn", Circuit.ASKED_FOR_REST: "warn", Circuit.RESTING: "bad"}


@register.inclusion_tag("gateway/_model_choices.html")
def model_choices(name: str, chosen: Collection[str]) -> dict[str, Any]:
    """A box to tick for each AI model that is offered, and for each chosen name that is not offered any more.

    Args:
        name: the form's field; each ticked box sends the model's name under it.
        chosen: the names that are ticked.
    """
    offered = {model.name: model.label for model in list_offered()}
    gone = {model: model for model in chosen if model not in offered}
    return {"name": name, "models": (offered | gone).items(), "chosen": chosen}


@register.filter
def recent_calls(health: Mapping[str, Health], provider: str) -> str:
    """What became of a provider's calls lately."""
    return describe_calls(health[provider])


@register.filter
def worst_circuit(health: Mapping[str, Health], provider: str) -> SafeString:
    """How the address of a provider stands that stands worst."""
    return circuit_badge(health[provider].worst)


@register.filter
def circuit_at(health: Health, upstream_id: int) -> SafeString:
    """How one address stands."""
    return circuit_badge(health.circuits[upstream_id])


@register.filter
def circuit_badge(circuit: Circuit) -> SafeString:
    """How a place stands, in a word and a color."""
    return format_html('<span class="badge" data-tone="{}">{}</span>', _TONES[circuit], describe_circuit(circuit))


@register.simple_tag(takes_context=True)
def example_model(context: dict[str, Any]) -> str:
    """The name of an AI model the reader may chat with, for examples that are to work as they stand."""
    models = list_models_for(principal_of(context["request"].user), Operation.CHAT)
    return models[0].name if models else "…"
