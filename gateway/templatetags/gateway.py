"""The catalog on pages of rooms that do not know it."""

from collections.abc import Collection
from typing import Any

from django import template

from gateway.selectors import list_offered

register = template.Library()


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
