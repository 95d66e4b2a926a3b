"""Which place a call goes to: tables, without a clock or a network."""

import random

import pytest

from gateway.errors import (
    ContentFiltered,
    UpstreamBusy,
    UpstreamDown,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.routing import FAILURES, LONGEST_LEFT_ALONE, WELL, Board, Health, after, choose, second_of
from gateway.types import ProviderKind, Target

BUSY = UpstreamBusy(retry_after=7)


def place(number: int, *, position: int = 0, weight: int = 1, most: int | None = None, model: str = "m") -> Target:
    name = f"theirs-{number}"
    return Target(
        model, name, "p", ProviderKind.COMPATIBLE, "", upstream_id=number, position=position, weight=weight,
        most_parallel=most,
    )  # fmt: skip


def asked(*places: Target) -> Target:
    first, *spares = places
    return Target(
        first.model, first.upstream_model, "p", first.kind, "", upstream_id=first.upstream_id, position=first.position,
        weight=first.weight, most_parallel=first.most_parallel, spares=tuple(spares),
    )  # fmt: skip


def numbers(
    target: Target, health: dict[int, Health] | None = None, running: dict[int, int] | None = None
) -> list[int]:
    states = {(number, f"theirs-{number}"): state for number, state in (health or {}).items()}
    chosen = choose(target, health=states, running=running or {}, now=100.0, draw=lambda: 0.5)
    return [place.upstream_id for place in chosen]


RESTS = Health(FAILURES, rests_until=105.0)
OVER = Health(FAILURES, rests_until=95.0)
LEFT_ALONE = Health(0, rests_until=107.0, is_busy=True)


@pytest.mark.parametrize(
    ("health", "running", "expected"),
    [
        ({}, {}, [1, 2, 3]),
        ({1: RESTS}, {}, [2, 3]),
        ({1: OVER}, {}, [1, 2, 3]),
        ({1: LEFT_ALONE}, {}, [2, 3]),
        ({1: Health(FAILURES - 1)}, {}, [1, 2, 3]),
        ({}, {1: 2}, [2, 3]),
        ({}, {1: 1}, [1, 2, 3]),
        ({2: RESTS}, {1: 2}, [3]),
        ({1: RESTS, 2: RESTS, 3: RESTS}, {}, [1, 2, 3]),
        ({1: RESTS, 2: LEFT_ALONE, 3: RESTS}, {}, [1, 3]),
    ],
)
def test_a_call_goes_where_it_may_be_answered(
    health: dict[int, Health], running: dict[int, int], expected: list[int]
) -> None:
    target = asked(place(1, most=2), place(2, position=1), place(3, position=2))

    assert numbers(target, health, running) == expected


@pytest.mark.parametrize(
    ("health", "running", "seconds"),
    [
        ({1: LEFT_ALONE, 2: Health(0, 103.5, is_busy=True)}, {}, "4"),
        ({}, {1: 1, 2: 1}, "1"),
        ({2: LEFT_ALONE}, {1: 1}, "7"),
        ({1: Health(0, 3000.0, is_busy=True), 2: Health(0, 3000.0, is_busy=True)}, {}, "60"),
    ],
)
def test_who_finds_no_place_is_told_when_to_come_again(
    health: dict[int, Health], running: dict[int, int], seconds: str
) -> None:
    with pytest.raises(UpstreamBusy) as raised:
        numbers(asked(place(1, most=1), place(2, most=1)), health, running)

    assert raised.value.headers["retry-after"] == seconds


def test_a_stand_in_comes_last_whatever_its_position() -> None:
    assert numbers(asked(place(1, position=5), place(2, position=0, model="other"), place(3, position=6))) == [1, 3, 2]


def test_among_equals_the_weight_decides_how_often() -> None:
    target, random_numbers = asked(place(1, weight=3), place(2, weight=1)), random.Random(7)
    firsts = [
        choose(target, health={}, running={}, now=0.0, draw=random_numbers.random)[0].upstream_id for _ in range(2000)
    ]

    assert 0.71 < firsts.count(1) / len(firsts) < 0.79


@pytest.mark.parametrize(
    ("error", "before", "expected"),
    [
        (None, Health(9, 200.0), WELL),
        (ContentFiltered(), Health(2), WELL),
        (UpstreamRejected(), Health(2), WELL),
        (UpstreamDown(), WELL, Health(1)),
        (UpstreamTimeout(), Health(1), Health(2)),
        (UpstreamError(), Health(2), Health(3, 105.0)),
        (UpstreamDown(), Health(3), Health(4, 110.0)),
        (UpstreamDown(), Health(50), Health(51, 160.0)),
        (BUSY, WELL, Health(0, 107.0, is_busy=True)),
        (BUSY, Health(2, 150.0), Health(2, 150.0, is_busy=True)),
        (UpstreamBusy(retry_after=0.5), WELL, Health(0, 100.5, is_busy=True)),
        (UpstreamBusy(retry_after=90), WELL, Health(0, 190.0, is_busy=True)),
        (UpstreamBusy(retry_after=31_536_000), WELL, Health(0, 100.0 + LONGEST_LEFT_ALONE, is_busy=True)),
    ],
    ids=repr,
)
def test_what_a_place_is_remembered_for(error: UpstreamError | None, before: Health, expected: Health) -> None:
    assert after(error, before, now=100.0) == expected


@pytest.mark.parametrize(
    ("error", "alone", "with_another"),
    [
        (UpstreamDown(), 1, 2),
        (UpstreamTimeout(), None, 2),
        (UpstreamError(), None, 2),
        (BUSY, None, 2),
        (ContentFiltered(), None, None),
        (UpstreamRejected(), None, None),
    ],
    ids=repr,
)
def test_where_a_call_is_tried_once_more(error: UpstreamError, alone: int | None, with_another: int | None) -> None:
    def number(*places: Target) -> int | None:
        second = second_of(places, error, health={}, running={}, now=0.0)
        return second.upstream_id if second else None

    assert number(place(1)) == alone
    assert number(place(1), place(2), place(3)) == with_another


def test_a_place_that_became_full_or_asked_for_rest_meanwhile_is_not_where_a_call_is_tried_once_more() -> None:
    board = Board(lambda: 0.0, draw=lambda: 0.5)
    first, full, resting, last = (place(1), place(2, position=1, most=1), place(3, position=2), place(4, position=3))
    chosen = board.choose(asked(first, full, resting, last))
    assert chosen == [asked(first, full, resting, last), full, resting, last]
    board.begin(first)
    board.begin(full)
    board.begin(resting)
    board.end(resting, BUSY)

    assert board.second_of(chosen, UpstreamTimeout()) == last
    assert board.second_of(chosen[:3], UpstreamTimeout()) is None
    assert board.second_of(chosen[:3], UpstreamDown()) == chosen[0]  # it was broken, and the call has its room there
    board.end(full, None)
    assert board.second_of(chosen, UpstreamTimeout()) == full


def test_one_call_at_a_time_tries_a_place_that_failed() -> None:
    now = 0.0
    board = Board(lambda: now, draw=lambda: 0.5)
    target = asked(place(1), place(2, position=1))
    for _ in range(FAILURES):
        board.begin(target)
        board.end(target, UpstreamDown())
    assert [seen.upstream_id for seen in board.choose(target)] == [2]
    assert [seen.upstream_id for seen in board.list_resting()] == [1]

    now = 6.0
    assert board.choose(target)[0].upstream_id == 1
    board.begin(target)
    assert board.choose(target)[0].upstream_id == 2  # while that one tries

    board.end(target, None)
    assert board.choose(target)[0].upstream_id == 1
    assert board.list_resting() == []


@pytest.mark.parametrize(("is_well", "first"), [(True, 1), (False, 2)])
def test_a_health_check_ends_a_rest_or_prolongs_it(is_well: bool, first: int) -> None:
    board = Board(lambda: 0.0, draw=lambda: 0.5)
    target = asked(place(1), place(2, position=1))
    for _ in range(FAILURES):
        board.begin(target)
        board.end(target, UpstreamDown())

    board.note_check(target, is_well=is_well)

    assert board.choose(target)[0].upstream_id == first


def test_a_call_that_nobody_waited_for_says_nothing_of_its_place() -> None:
    board = Board(lambda: 0.0)
    target = asked(place(1, most=1))
    board.begin(target)
    with pytest.raises(UpstreamBusy):
        board.choose(target)

    board.end(target, UpstreamDown(), is_told=False)

    assert board.choose(target)
    assert board.list_resting() == []
