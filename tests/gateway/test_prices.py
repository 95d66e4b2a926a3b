"""What a call may use at most, and what it did use, in tokens and money (D13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_id
from core.types import Operation
from gateway.prices import OUTPUT_TOKENS, actual_amounts, bound_amounts, bounded, count_input, count_turns
from gateway.types import Call, Prices, ProviderKind, Target
from gateway.upstreams.replies import read_totals
from quotas.types import Unit
from usage.types import Totals, UsageSource

GPT = Prices(input=19_500_000, output=78_000_000)  # HK$19.50 and HK$78 a million


def target(prices: Prices = GPT, **more: object) -> Target:
    return Target("gpt-4o", "gpt-4o", "openai", ProviderKind.OPENAI, "", prices=prices, **more)  # type: ignore[arg-type]


def chat(text: str = "Hello", **body: object) -> Call:
    return Call(new_id(), Operation.CHAT, "gpt-4o", {"messages": [{"role": "user", "content": text}], **body})


def test_the_bound_is_the_bytes_of_the_text_and_the_longest_answer() -> None:
    amounts = bound_amounts(chat(max_tokens=100), target(max_output_tokens=1000), prompts=2)
    tokens_in = count_input(chat().body)
    assert amounts[Unit.PROMPTS] == 2
    assert amounts[Unit.TOKENS] == tokens_in + 100
    assert amounts[Unit.MONEY] == -(-(tokens_in * 19_500_000 + 100 * 78_000_000) // 1_000_000)
    assert len("Hello") < tokens_in < 60


def test_an_answer_nobody_bounded_is_bounded_and_the_upstream_told_so() -> None:
    spare = target(max_output_tokens=64)
    asked = target(spares=(spare,))
    assert bound_amounts(chat(), asked, prompts=1)[Unit.TOKENS] == count_input(chat().body) + OUTPUT_TOKENS
    assert bounded(asked).max_output_tokens == OUTPUT_TOKENS
    assert bounded(asked).spares[0].max_output_tokens == 64


def test_the_dearest_of_the_places_that_may_answer_is_held() -> None:
    dear = target(Prices(input=10**9, output=10**9), max_output_tokens=10)
    money = bound_amounts(chat(), target(max_output_tokens=10, spares=(dear,)), prompts=1)[Unit.MONEY]
    assert money == bound_amounts(chat(), dear, prompts=1)[Unit.MONEY]


def test_a_model_without_a_price_has_no_bound_in_money_and_a_free_one_costs_nothing() -> None:
    assert bound_amounts(chat(), target(Prices()), prompts=1)[Unit.MONEY] is None
    assert bound_amounts(chat(), target(Prices(0, 0)), prompts=1)[Unit.MONEY] == 0


def test_pictures_cost_their_price_each() -> None:
    call = Call(new_id(), Operation.IMAGE, "dall-e-3", {"prompt": "A junk"}, count=3)
    drawn = target(Prices(image=312_000))
    assert bound_amounts(call, drawn, prompts=3)[Unit.MONEY] == 936_000
    assert actual_amounts(drawn, Operation.IMAGE, Totals(images=2))[Unit.MONEY] == 624_000
    assert bound_amounts(call, target(Prices()), prompts=3)[Unit.MONEY] is None


def test_what_was_used_is_the_providers_figure_rounded_up() -> None:
    amounts = actual_amounts(target(), Operation.CHAT, Totals(input_tokens=1, output_tokens=1))
    assert amounts == {Unit.TOKENS: 2, Unit.MONEY: 98}  # 97.5 micro-dollars


CACHING = Prices(input=20_000_000, output=0, cached_input=5_000_000)


def test_what_the_provider_had_cached_costs_its_own_price() -> None:
    totals = Totals(input_tokens=1000, output_tokens=10, cached_tokens=600)
    assert actual_amounts(target(CACHING), Operation.CHAT, totals)[Unit.MONEY] == 400 * 20 + 600 * 5
    assert actual_amounts(target(CACHING), Operation.CHAT, totals)[Unit.TOKENS] == 1010
    assert actual_amounts(target(Prices(20_000_000, 0)), Operation.CHAT, totals)[Unit.MONEY] == 1000 * 20


def test_what_is_held_is_enough_whatever_turns_out_to_be_cached() -> None:
    dearer = target(Prices(input=0, output=0, cached_input=5_000_000))
    for place in (target(CACHING), dearer):
        tokens = count_input(chat().body)
        held = bound_amounts(chat(), place, prompts=1)[Unit.MONEY]
        used = [actual_amounts(place, Operation.CHAT, Totals(tokens, 0, cached))[Unit.MONEY] for cached in (0, tokens)]
        assert held == max(used)


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, 4),
        ({"input_tokens_details": {"cached_tokens": 7}}, 7),
        ({"prompt_tokens_details": {"cached_tokens": 8}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": -1}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": True}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": "4"}}, 0),
        ({"prompt_tokens_details": [4]}, 0),
        ({}, 0),
    ],
)
def test_a_provider_is_believed_about_its_cache_within_reason(details: dict[str, object], cached: int) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, **details}
    assert read_totals(usage) == Totals(7, 5, cached, source=UsageSource.REPORTED)


@pytest.mark.parametrize("part", ["data:image/png;base64," + "A" * 100_000, "https://example.edu/a.png"])
def test_a_picture_in_a_question_is_no_text(part: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": part}}]}]}
    assert 2048 < count_input(body) < 2200


@given(st.text(max_size=200))
def test_no_text_has_more_tokens_than_are_counted(text: str) -> None:
    safe = text.encode("utf-8", "ignore").decode()
    assert count_input({"messages": [{"role": "user", "content": "x" + safe}]}) >= len(safe.encode())


def test_turns_are_the_persons_own_messages() -> None:
    roles = ("system", "user", "assistant", "user")
    assert count_turns({"messages": [{"role": role, "content": "x"} for role in roles]}) == 2
    assert count_turns({"input": "x"}) == 0
