"""GET /v1/models: the catalog as OpenAI's clients read it."""

from collections.abc import Iterable
from typing import Any

from gateway.models import Model


def render_model(model: Model) -> dict[str, Any]:
    """One model."""
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": next((route.upstream.provider.slug for route in model.routes_in_use), ""),
    }


def render_models(models: Iterable[Model]) -> dict[str, Any]:
    """The list of models."""
    return {"object": "list", "data": [render_model(model) for model in models]}
