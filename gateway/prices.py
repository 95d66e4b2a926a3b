"""What a call may use at most and what it did use, in tokens and money (D13): pure functions of call, target, totals.

Before a call nobody knows its tokens, so what is held is a bound: no tokenizer makes more tokens of a text than the
text has bytes, and no model answers longer than it is allowed to. Afterwards the provider's own figures are booked.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.types import Operation
from gateway.types import Call, Prices, Target
from quotas.types import Unit
from usage.types import Totals

# The longest answer of a model for which nobody said one, where it is paid by the token; it is asked to keep to it.
OUTPUT_TOKENS = 4096
_TOKENS_PER_MESSAGE = 16  # role, separators and the start of the answer, beside the text
_TOKENS_PER_PICTURE = 2048  # what providers count for a large picture in full detail
_PER = 1_000_000  # prices are for so many tokens


def bound_amounts(call: Call, target: Target, *, prompts: int) -> dict[Unit, int | None]:
    """An upper bound of what the call will use, per unit; None where nobody can say, because the model has no price."""
    tokens_in, tokens_out = count_input(call.body), _most_output(call, target)
    costs = [
        _cost(_bounding(place.prices), call.operation, tokens_in, tokens_out, call.count)
        for place in (target, *target.spares)
    ]
    money = None if None in costs else max(cost for cost in costs if cost is not None)
    return {Unit.PROMPTS: prompts, Unit.TOKENS: tokens_in + tokens_out, Unit.MONEY: money}


def actual_amounts(target: Target, operation: Operation, totals: Totals) -> dict[Unit, int]:
    """What the call used, per unit, from the provider's totals or their estimate; a unit nobody knows is left out."""
    tokens_in, tokens_out = totals.input_tokens or 0, totals.output_tokens or 0
    amounts = {Unit.TOKENS: tokens_in + tokens_out}
    cost = _cost(target.prices, operation, tokens_in, tokens_out, totals.images, cached=totals.cached_tokens)
    return amounts if cost is None else {**amounts, Unit.MONEY: cost}


def bounded(target: Target) -> Target:
    """The target with the longest answer that `bound_amounts` counted on, also where nobody said one."""
    if target.max_output_tokens is not None:
        return target
    return replace(target, max_output_tokens=OUTPUT_TOKENS, spares=tuple(map(bounded, target.spares)))


def count_input(body: Mapping[str, Any]) -> int:
    """A cheap upper bound of a request's input tokens: the bytes of its text, and a little for what is beside it."""
    return _count(body.get("messages")) + sum(
        _count(body.get(name)) for name in ("input", "prompt", "instructions", "tools", "response_format")
    )


def count_turns(body: Mapping[str, Any]) -> int:
    """How many times the person speaks in a conversation, the question that is asked now included."""
    messages = body.get("messages", ())
    return sum(1 for message in messages if isinstance(message, dict) and message.get("role") == "user")


def _count(part: Any) -> int:
    if isinstance(part, str):
        return len(part.encode())
    if isinstance(part, Mapping):
        own = _TOKENS_PER_MESSAGE if "role" in part else 0
        return own + sum(len(str(name)) + _count_field(str(name), value) for name, value in part.items())
    if isinstance(part, (list, tuple)):
        return sum(map(_count, part))
    return 0 if part is None else len(str(part))


def _count_field(name: str, value: Any) -> int:
    is_picture = name in ("url", "image_url") and isinstance(value, str)
    return _TOKENS_PER_PICTURE if is_picture else _count(value)


def _most_output(call: Call, target: Target) -> int:
    if call.operation != Operation.CHAT:
        return 0
    asked = [call.body.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")]
    most = [most for place in (target, *target.spares) if (most := place.max_output_tokens or OUTPUT_TOKENS)]
    return min([max(most), *(limit for limit in asked if isinstance(limit, int))]) * call.count


def _bounding(prices: Prices) -> Prices:
    """The prices by which no call costs more than was held: nobody knows before what a provider has cached."""
    if prices.input is None or prices.cached_input is None:
        return prices
    return replace(prices, input=max(prices.input, prices.cached_input))


def _cost(
    prices: Prices, operation: Operation, tokens_in: int, tokens_out: int, images: int, *, cached: int = 0
) -> int | None:
    """In micro-units, rounded up so that nothing is free that has a price; None when the price is not known.

    Args:
        cached: how many of `tokens_in` were cached, never more than all.
    """
    if operation == Operation.MODERATION:
        return 0
    if operation == Operation.IMAGE and prices.image is not None:
        return prices.image * images
    cached = min(cached, tokens_in) if prices.cached_input is not None else 0
    cost = 0
    for tokens, price in (
        (tokens_in - cached, prices.input),
        (cached, prices.cached_input),
        (tokens_out, prices.output),
    ):
        if price is not None:
            cost += tokens * price
        elif tokens or operation == Operation.IMAGE:
            return None
    return -(-cost // _PER)
