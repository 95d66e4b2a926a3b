"""A bill beside our records: what agrees, what open calls explain, and what must be looked at."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from core.types import Operation
from gateway.bill import Bill
from gateway.comparing import Named, Row, Verdict, compare, total
from usage.types import CallsOfDay, Outcome, UsageSource

DAY = date(2026, 11, 30)
CHAT = ("requests", "input_tokens", "output_tokens")
CATALOG = [Named("house", frozenset({"gpt-4o-mini"}), most_input=1000, most_output=100)]


def bill(*used: tuple[str, int, int, int], measures: tuple[str, ...] = CHAT, day: date = DAY) -> Bill:
    counted = {(day, name): Counter(dict(zip(measures, counts, strict=False))) for name, *counts in used}
    return Bill(measures, frozenset({Operation.CHAT}), DAY, DAY, counted)


def calls(number: int, tokens_in: int = 0, tokens_out: int = 0, **changes: Any) -> CallsOfDay:
    usual = CallsOfDay(
        DAY, "house", "openai", "chat", Outcome.SERVED, UsageSource.REPORTED, number, tokens_in, tokens_out
    )
    return usual._replace(**changes)


def only(rows: list[Row]) -> Row:
    [row] = rows
    return row


def test_what_is_equal_agrees() -> None:
    row = only(compare(bill(("gpt-4o-mini-2024-07-18", 3, 40, 50)), CATALOG, [calls(3, 40, 50)]))
    assert (row.verdict, row.models, row.names) == (Verdict.AGREES, ("house",), ("gpt-4o-mini-2024-07-18",))
    assert [(figure.billed, figure.ours, figure.difference) for figure in row.figures.values()] == [
        (3, 3, 0),
        (40, 40, 0),
        (50, 50, 0),
    ]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"outcome": Outcome.LOST, "usage_source": UsageSource.NONE}, "lost"),
        ({"outcome": Outcome.LOST, "usage_source": UsageSource.NONE, "provider": ""}, "lost"),
        ({"outcome": Outcome.UPSTREAM_FAILED, "usage_source": UsageSource.NONE}, "failed"),
    ],
)
def test_lost_and_failed_calls_explain_as_many_requests_and_what_their_model_takes(
    changes: dict[str, Any], kind: str
) -> None:
    ours = [calls(3, 40, 50), calls(2, **changes)]
    assert only(compare(bill(("gpt-4o-mini", 3, 40, 50)), CATALOG, ours)).verdict == Verdict.AGREES
    row = only(compare(bill(("gpt-4o-mini", 5, 2040, 250)), CATALOG, ours))
    assert (row.verdict, row.open) == (Verdict.EXPLAINED, {kind: 2})
    for more in ((6, 40, 50), (5, 2041, 50), (5, 40, 251), (2, 40, 50), (3, 39, 50)):
        assert only(compare(bill(("gpt-4o-mini", *more)), CATALOG, ours)).verdict == Verdict.DIFFERS, more


def test_a_stopped_call_may_be_billed_or_not_and_its_estimate_is_no_bound() -> None:
    stopped = {"outcome": Outcome.CLIENT_LEFT, "usage_source": UsageSource.ESTIMATED}
    ours = [calls(3, 40, 50), calls(1, 7, 7, **stopped)]
    for billed in ((4, 40, 50), (3, 40, 50), (4, 900, 150)):
        row = only(compare(bill(("gpt-4o-mini", *billed)), CATALOG, ours))
        assert (row.verdict, row.open) == (Verdict.EXPLAINED, {"stopped": 1}), billed
    assert row.figures["requests"].ours == 4
    assert only(compare(bill(("gpt-4o-mini", 5, 47, 57)), CATALOG, ours)).verdict == Verdict.DIFFERS


def test_an_answer_without_the_providers_count_is_one_request_and_any_tokens() -> None:
    ours = [calls(3, 40, 50), calls(1, 7, 7, usage_source=UsageSource.ESTIMATED)]
    row = only(compare(bill(("gpt-4o-mini", 4, 60, 50)), CATALOG, ours))
    assert (row.verdict, row.open) == (Verdict.EXPLAINED, {"estimated": 1})
    assert only(compare(bill(("gpt-4o-mini", 3, 40, 50)), CATALOG, ours)).verdict == Verdict.DIFFERS


def test_without_a_bound_in_the_catalog_an_open_call_explains_any_tokens_and_one_request() -> None:
    catalog = [Named("house", frozenset({"gpt-4o-mini"}))]
    lost = calls(1, outcome=Outcome.LOST, usage_source=UsageSource.NONE)
    assert only(compare(bill(("gpt-4o-mini", 1, 10**9, 10**9)), catalog, [lost])).verdict == Verdict.EXPLAINED
    assert only(compare(bill(("gpt-4o-mini", 2, 0, 0)), catalog, [lost])).verdict == Verdict.DIFFERS


def test_what_nobody_configured_is_a_row_of_its_own_and_stands_first() -> None:
    used = bill(("gpt-4o-mini", 3, 40, 50), ("o3", 1, 2, 3), ("o3-2025", 1, 2, 3))
    rows = compare(used, CATALOG, [calls(3, 40, 50)])
    assert [(row.verdict, row.models, row.names) for row in rows] == [
        (Verdict.UNKNOWN, (), ("o3",)),
        (Verdict.UNKNOWN, (), ("o3-2025",)),
        (Verdict.AGREES, ("house",), ("gpt-4o-mini",)),
    ]
    assert [row.must_be_looked_at for row in rows] == [True, True, False]


@pytest.mark.parametrize(
    ("billed", "model"),
    [
        ("gpt-4o", "large"),
        ("gpt-4o-2024-08-06", "large"),
        ("gpt-4o@20240806", "large"),
        ("gpt-4o-mini-2024-07-18", "small"),
        ("gpt-4o-2024-05-13", "pinned"),
        ("gpt-4o-2024-05-13-0001", "pinned"),
        ("gpt-4o-audio-preview", None),
        ("gpt-4o-", None),
        ("gpt-4", None),
        ("gpt-4o.1", None),
        ("GPT-4o", None),
    ],
)
def test_a_billed_name_is_that_of_an_upstream_or_a_snapshot_of_the_longest(billed: str, model: str | None) -> None:
    names = {"large": "gpt-4o", "small": "gpt-4o-mini", "pinned": "gpt-4o-2024-05-13"}
    catalog = [Named(ours, frozenset({theirs})) for ours, theirs in names.items()]
    row = only(compare(bill((billed, 1, 2, 3)), catalog, []))
    assert row.models == ((model,) if model else ())


def test_several_snapshots_of_one_model_are_added() -> None:
    used = bill(("gpt-4o-mini-2024-07-18", 1, 2, 3), ("gpt-4o-mini", 10, 20, 30))
    row = only(compare(used, CATALOG, [calls(11, 22, 33)]))
    assert (row.verdict, row.names) == (Verdict.AGREES, ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"))


def test_models_that_share_a_name_are_compared_together() -> None:
    catalog = [
        Named("cheap", frozenset({"gpt-4o-mini"}), 10, 10),
        Named("other", frozenset({"o3"}), 10, 10),
        Named("old", frozenset({"gpt-4o-mini", "o3"}), 1000, None),
    ]
    ours = [calls(1, 2, 3, model="cheap"), calls(1, 2, 3, model="old"), calls(1, 2, 3, model="other")]
    row = only(compare(bill(("gpt-4o-mini", 1, 2, 3), ("o3", 2, 4, 6)), catalog, ours))
    assert (row.verdict, row.models) == (Verdict.AGREES, ("cheap", "old", "other"))
    lost = calls(1, model="cheap", outcome=Outcome.LOST)
    row = only(compare(bill(("o3", 4, 1006, 10**6)), catalog, [*ours, lost]))
    assert row.verdict == Verdict.EXPLAINED, "the largest bound of them counts"


def test_our_calls_that_no_bill_names_differ() -> None:
    row = only(compare(bill(), CATALOG, [calls(3, 40, 50)]))
    assert (row.verdict, row.names, row.figures["requests"].difference) == (Verdict.DIFFERS, (), -3)


def test_a_bill_of_one_kind_does_not_miss_the_calls_of_another() -> None:
    catalog = [*CATALOG, Named("vectors", frozenset({"embed"})), Named("pictures", frozenset({"gpt-image-1"}))]
    others = [
        calls(9, 9, model="vectors", operation="embedding"),
        calls(2, 5, 6, model="pictures", operation="image", images=2),
    ]
    rows = compare(bill(("gpt-4o-mini", 3, 40, 50)), catalog, [calls(3, 40, 50), *others])
    assert [row.models for row in rows] == [("house",)]
    rows = compare(bill(("gpt-4o-mini", 3, 40, 50), ("gpt-image-1", 2, 5, 6)), catalog, [calls(3, 40, 50), *others])
    assert [(row.models, row.verdict) for row in rows] == [
        (("house",), Verdict.AGREES),
        (("pictures",), Verdict.AGREES),
    ], "what it lists is compared"


def test_images_are_compared_where_a_bill_counts_them() -> None:
    catalog = [Named("pictures", frozenset({"gpt-image-1"}))]
    ours = [calls(2, model="pictures", operation="image", images=3, usage_source=UsageSource.NONE)]
    measures = ("requests", "images")
    agrees, differs = (
        Bill(
            measures, frozenset({Operation.IMAGE}), DAY, DAY, {(DAY, "gpt-image-1"): Counter(requests=2, images=number)}
        )
        for number in (3, 4)
    )
    row = only(compare(agrees, catalog, ours))
    assert (row.verdict, row.open) == (Verdict.AGREES, {}), "whether tokens are known does not matter"
    assert only(compare(differs, catalog, ours)).verdict == Verdict.DIFFERS
    failed = calls(1, model="pictures", operation="image", outcome=Outcome.UPSTREAM_FAILED)
    assert only(compare(differs, catalog, [*ours, failed])).verdict == Verdict.EXPLAINED


def test_a_model_that_left_the_catalog_is_known_by_its_own_name_but_not_where_a_swept_call_had_gone() -> None:
    row = only(compare(bill(("gone-2024", 1, 2, 3)), [], [calls(1, 2, 3, model="gone")]))
    assert (row.verdict, row.models) == (Verdict.AGREES, ("gone",))
    swept = calls(1, model="elsewhere", provider="", outcome=Outcome.LOST)
    assert compare(bill(), CATALOG, [swept]) == []


def test_days_are_compared_each_for_itself() -> None:
    other = date(2026, 12, 1)
    rows = compare(bill(("gpt-4o-mini", 1, 2, 3), day=other), CATALOG, [calls(1, 2, 3)])
    assert [(row.day, row.verdict) for row in rows] == [(DAY, Verdict.DIFFERS), (other, Verdict.DIFFERS)]
    assert [total(rows, measure).difference for measure in CHAT] == [0, 0, 0], "a call around midnight"
