"""Which limits a call meets, and what may meet them: pure functions, so without a database (D11, D12)."""

from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.types import Role
from core.types import Operation
from quotas.errors import Unmeasured
from quotas.resolution import (
    PRODUCT_RULE,
    Asked,
    Demand,
    Facts,
    Pool,
    Rule,
    choose_rules,
    fill,
    list_ways,
    pace_of,
)
from quotas.types import Period, Purse, Unit, WhenEmpty, Window
from quotas.windows import window_of

AT = datetime(2026, 11, 22, 4, tzinfo=UTC)
SARA = Facts(user_id=7, role=Role.STUDENT, department_id=3, course_ids={11, 12})
P, T = Unit.PROMPTS, Unit.TOKENS


def monthly(limit: int | None, unit: Unit = P, **more: object) -> Rule:
    return Rule(unit, Period.MONTH, limit, **more)  # type: ignore[arg-type]


def ways(*rules: Rule, model: str = "gpt-4o", pool: Pool | None = None, course_id: int | None = None, **amounts: int):  # type: ignore[no-untyped-def]
    asked = Asked(Operation.CHAT, model, {Unit(unit): n for unit, n in (amounts or {"prompts": 1}).items()}, course_id)
    return list_ways(choose_rules(rules, facts=SARA, at=AT), asked=asked, at=AT, pool=pool)


def limits(way: tuple[Demand, ...]) -> list[int | None]:
    return [demand.rule.limit for demand in way]


def test_without_any_rule_the_products_own_holds() -> None:
    assert choose_rules([], facts=SARA, at=AT) == [PRODUCT_RULE]


def test_the_most_specific_rule_wins_in_whatever_order_they_come() -> None:
    steps = [
        monthly(1),
        monthly(2, role=Role.STUDENT),
        monthly(3, department_id=3),
        monthly(4, department_id=3, role=Role.STUDENT),
        monthly(5, course_id=11),
        monthly(6, user_id=7),
    ]
    for count in range(1, len(steps) + 1):
        for order in list(permutations(steps[:count]))[:24]:
            assert [rule.limit for rule in choose_rules(order, facts=SARA, at=AT)] == [count]


def test_of_two_courses_rules_the_more_generous_holds() -> None:
    two = [monthly(5, course_id=11, id=1), monthly(40, course_id=12, id=2), monthly(90, course_id=13, id=3)]
    assert [rule.limit for rule in choose_rules(two, facts=SARA, at=AT)] == [40]
    free = [*two, monthly(None, course_id=12, id=4)]
    assert [rule.limit for rule in choose_rules(free, facts=SARA, at=AT)] == [None]


def test_a_scheduled_rule_holds_from_its_instant_on() -> None:
    september = datetime(2026, 8, 31, 16, tzinfo=UTC)
    old = monthly(20, ends_at=september, id=1)
    new = monthly(500_000, T, starts_at=september, id=2)
    before = choose_rules([old, new], facts=SARA, at=datetime(2026, 8, 31, 15, 59, 59, tzinfo=UTC))
    assert [(rule.unit, rule.id) for rule in before] == [(P, 1)]
    after = choose_rules([old, new], facts=SARA, at=september)
    assert [(rule.unit, rule.id) for rule in after] == [(P, None), (T, 2)]


def test_every_limit_that_covers_the_call_is_a_demand() -> None:
    daily = Rule(P, Period.DAY, 5)
    (way,) = ways(monthly(20), daily, monthly(10, scope="image"), monthly(9, T), prompts=2, tokens=300)
    assert {(d.rule.unit, d.rule.period, d.amount) for d in way} == {
        (P, Period.DAY, 2),
        (P, Period.MONTH, 2),
        (T, Period.MONTH, 300),
    }


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("", True),
        ("chat", True),
        ("image", False),
        ("model:gpt-4o", True),
        ("model:gpt-4", False),
        ("model:gpt-4*", True),
        ("model:dall-e-3,gpt-4o", True),
        ("model:*", True),
        ("pool:COMP1117", False),
    ],
)
def test_a_scope_covers_what_it_names(scope: str, covered: bool) -> None:
    assert Rule(P, Period.MONTH, 1, scope=scope).covers(Operation.CHAT, "gpt-4o") is covered


def test_an_unmetered_model_is_taken_out_of_the_wider_limits_of_its_unit() -> None:
    free = monthly(None, scope="model:mini")
    (way,) = ways(monthly(20), monthly(900, T), free, model="mini", prompts=1, tokens=50)
    assert {(d.rule.unit, d.rule.limit) for d in way} == {(P, None), (T, 900)}
    (way,) = ways(monthly(20), free, model="gpt-4o")
    assert limits(way) == [20]


def test_extra_units_go_to_the_longest_limit_only() -> None:
    (way,) = ways(monthly(20), Rule(P, Period.DAY, 5), monthly(3, scope="chat"))
    purses = {(d.rule.period, d.rule.scope): d.purses for d in way}
    everything = (Purse.PERIOD, Purse.GRANT, Purse.PURCHASED)
    assert purses == {
        (Period.DAY, ""): (Purse.PERIOD,),
        (Period.MONTH, ""): everything,
        (Period.MONTH, "chat"): everything,
    }


def test_a_courses_pool_pays_first_within_the_cap_and_the_person_after_it() -> None:
    cap = Rule(P, Period.TERM, 5, scope="pool:COMP1117", course_id=11)
    pool = Pool(11, "COMP1117", P, WhenEmpty.PERSONAL)
    rules = (monthly(20), monthly(900, T), cap)
    shared, personal = ways(*rules, pool=pool, course_id=11, prompts=1, tokens=50)
    assert [(d.pool_course_id, d.rule.limit) for d in shared] == [(11, 0), (None, 5), (None, 900)]
    assert limits(personal) == [20, 900]
    strict = Pool(11, "COMP1117", P, WhenEmpty.REFUSE)
    assert len(ways(*rules, pool=strict, course_id=11)) == 1
    assert limits(ways(*rules, pool=pool, course_id=None)[0]) == [20]


def test_the_strictest_pace_of_those_that_cover_the_call_holds() -> None:
    chosen = choose_rules(
        [
            Rule(Unit.TURNS, Period.CONVERSATION, 20),
            Rule(Unit.TURNS, Period.CONVERSATION, 12, scope="model:gpt-4o"),
            Rule(Unit.ATTEMPTS, Period.HOUR, 100, role=Role.STUDENT),
            Rule(Unit.PARALLEL, Period.MOMENT, None),
        ],
        facts=SARA,
        at=AT,
    )
    pace = pace_of(chosen, operation=Operation.CHAT, model="gpt-4o")
    assert (pace.turns, pace.attempts, pace.parallel) == (12, 100, None)


@given(st.integers(0, 50), st.lists(st.one_of(st.none(), st.integers(-5, 20)), max_size=5))
def test_purses_are_emptied_in_order_and_never_overdrawn(amount: int, rooms: list[int | None]) -> None:
    parts = fill(amount, rooms)
    if parts is None:
        assert None not in rooms
        assert sum(max(0, room or 0) for room in rooms) < amount
        return
    assert sum(parts) == amount
    assert all(room is None or 0 <= part <= max(0, room) for part, room in zip(parts, rooms, strict=True))
    for index, part in enumerate(parts):
        if any(parts[index + 1 :]):
            assert part == max(0, rooms[index] or 0)  # a later one is touched only when this one is empty


def test_every_instant_lies_in_a_term_or_between_two() -> None:
    first, second = (
        Window(datetime(2026, 8, 31, 16, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)),
        Window(datetime(2027, 1, 14, 16, tzinfo=UTC), datetime(2027, 5, 31, 16, tzinfo=UTC)),
    )
    terms = [first, second]
    assert window_of(Period.TERM, AT, terms) == first
    assert window_of(Period.TERM, datetime(2027, 1, 2, tzinfo=UTC), terms) == Window(first.ends_at, second.starts_at)  # type: ignore[arg-type]
    assert window_of(Period.TERM, datetime(2027, 5, 31, 16, tzinfo=UTC), terms) == Window(second.ends_at, None)  # type: ignore[arg-type]
    assert window_of(Period.TERM, datetime(2026, 1, 1, tzinfo=UTC), terms).ends_at == first.starts_at


def test_money_nobody_can_count_is_refused_under_a_limit_and_counted_as_nothing_without_one() -> None:
    asked = Asked(Operation.CHAT, "new", {Unit.PROMPTS: 1, Unit.MONEY: None})
    limited = choose_rules([monthly(8_000_000, Unit.MONEY)], facts=SARA, at=AT)
    with pytest.raises(Unmeasured):
        list_ways(limited, asked=asked, at=AT)
    (way,) = list_ways(choose_rules([monthly(None, Unit.MONEY)], facts=SARA, at=AT), asked=asked, at=AT)
    assert {(demand.rule.unit, demand.amount) for demand in way} == {(Unit.PROMPTS, 1), (Unit.MONEY, 0)}
