"""The tally: what is left, on any page."""

from collections.abc import Mapping
from typing import Any, cast

from django import template

from accounts.authentication import principal_of
from quotas.selectors import nearest_standing
from quotas.types import Standing, Unit
from quotas.wording import name_scope, write_amount, write_unit

register = template.Library()

# More strokes than this cannot be counted at a glance; a bar stands for them.
MOST_STROKES = 40


@register.inclusion_tag("quotas/meter.html", takes_context=True)
def quota_meter(context: Mapping[str, Any]) -> dict[str, Any]:
    """Where the signed-in person stands under the quota that will end first; nothing for anyone else.

    The fragment fetches itself anew when the page hears the event `quota-changed` on its body.
    """
    return {"standing": _nearest(context["request"])}


@register.inclusion_tag("quotas/left.html", takes_context=True)
def quota_left(context: Mapping[str, Any], *, out_of_band: bool = False) -> dict[str, Any]:
    """The same in two words, for the bar of a phone; renewed together with the meter."""
    return {"standing": _nearest(context["request"]), "out_of_band": out_of_band}


@register.inclusion_tag("quotas/warning.html", takes_context=True)
def quota_warning(context: Mapping[str, Any], *, out_of_band: bool = False) -> dict[str, Any]:
    """Above the place that spends: how little is left, until when, and whom to ask; renewed together with the meter."""
    return {"standing": _nearest(context["request"]), "out_of_band": out_of_band}


def _nearest(request: Any) -> Standing | None:
    """Asked once for each page, however often the page shows it."""
    if not hasattr(request, "nearest_standing"):
        known = request.user.is_active  # false for anonymous visitors, too
        request.nearest_standing = nearest_standing(principal_of(request.user)) if known else None
    return cast("Standing | None", request.nearest_standing)


@register.inclusion_tag("quotas/tally.html")
def tally(standing: Standing, *, decorative: bool = False) -> dict[str, Any]:
    """One stroke per unit up to 40, a bar above; with its words for a screen reader unless they stand beside it."""
    if standing.limit is None or standing.whole is None:
        return {}
    used = min(standing.used, standing.limit)
    held = min(standing.held, standing.limit - used)
    return {
        "standing": standing,
        "decorative": decorative,
        "strokes": ["used"] * used + ["held"] * held + ["left"] * (standing.left or 0)
        if standing.unit == Unit.PROMPTS and standing.whole <= MOST_STROKES
        else [],
        "used_share": _percent(used, standing.whole),
        "held_share": _percent(held, standing.whole),
        "left_share": _percent(standing.left or 0, standing.whole),
        "left_from": _percent(used + held, standing.whole),
    }


@register.filter
def amount(value: int | str | None, unit: str) -> str:
    """A number of units, as people write it; nothing where there is none."""
    return write_amount(Unit(unit), int(value)) if value not in (None, "") else ""


@register.filter
def unit_word(unit: str) -> str:
    """The word after such an amount; nothing after money."""
    return write_unit(Unit(unit))


@register.filter
def scope_name(scope: str) -> str:
    """What a rule covers, in words."""
    return name_scope(scope)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.1f}%"
