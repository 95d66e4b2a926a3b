"""A provider that rests and stays away is told to administrators; one that stumbles is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.conf import LazySettings

from gateway import relay
from gateway.errors import UpstreamBusy, UpstreamDown, UpstreamError
from gateway.routing import FAILURES, Board
from gateway.services import tell_away
from tests.gateway.test_routing import asked, place
from usage.models import Alarm


def answer(board: Board, error: UpstreamError | None) -> None:
    target = asked(place(1))
    board.begin(target)
    board.end(target, error)


def fail(board: Board, times: int) -> None:
    for _ in range(times):
        answer(board, UpstreamDown())


@pytest.mark.parametrize(
    ("status", "body", "is_there"),
    [
        (200, b'{"data": []}', True),
        (404, b"", True),  # many have no list of models, and answer
        (405, b"", True),
        (401, b"", False),
        (403, b"", False),
        (500, b"", False),
        (200, b"<html>", False),
    ],
)
async def test_who_rests_is_asked_whether_it_is_there_again(
    monkeypatch: pytest.MonkeyPatch,
    answering: Callable[[int, bytes], str],
    status: int,
    body: bytes,
    is_there: bool,
) -> None:
    board = Board(lambda: 0.0)
    monkeypatch.setattr(relay, "board", board)
    target = replace(asked(place(1), place(2, position=1)), base_url=answering(status, body))
    for _ in range(FAILURES):
        board.begin(target)
        board.end(target, UpstreamDown())

    await relay._check_resting()

    assert (board.list_resting() == []) is is_there
    assert board.choose(target)[0].upstream_id == (1 if is_there else 2)


def test_who_rests_for_long_and_was_asked_in_vain_is_away() -> None:
    now = 0.0
    board = Board(lambda: now)
    fail(board, FAILURES)
    now = 299.0
    fail(board, 1)
    assert board.list_away(seconds=300) == []
    now = 300.0
    assert [target.upstream_id for target in board.list_away(seconds=300)] == [1]

    board.note_check(asked(place(1)), is_well=True)
    fail(board, 1)
    assert board.list_away(seconds=300) == []  # it was there meanwhile


def test_who_says_nothing_but_that_it_is_busy_is_away() -> None:
    now = 0.0
    board = Board(lambda: now)
    while now < 300:
        assert board.list_away(seconds=300) == []
        answer(board, UpstreamBusy(retry_after=10))
        now += 10
    assert [target.upstream_id for target in board.list_away(seconds=300)] == [1]
    now = 400.0
    assert board.list_away(seconds=300) == []  # nobody has asked since

    now = 300.0
    answer(board, None)
    answer(board, UpstreamBusy(retry_after=10))
    assert board.list_away(seconds=300) == []


def test_who_asks_to_be_left_alone_for_long_is_away() -> None:
    now = 0.0
    board = Board(lambda: now)
    answer(board, UpstreamBusy(retry_after=3600))
    now = 299.0
    assert board.list_away(seconds=300) == []
    now = 300.0
    assert len(board.list_away(seconds=300)) == 1


def test_who_was_busy_now_and_then_and_not_asked_in_between_is_not_away() -> None:
    now = 0.0
    board = Board(lambda: now)
    while now < 1200:
        answer(board, UpstreamBusy(retry_after=10))
        assert board.list_away(seconds=300) == []
        now += 400


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_provider_that_stays_away_is_told_once_a_day() -> None:
    board = Board(lambda: 0.0)
    fail(board, FAILURES)
    away = board.list_away(seconds=0)
    tell_away(away)
    tell_away(away)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.facts["provider"]) == ("provider_away", away[0].provider)


@pytest.mark.django_db(transaction=True)
async def test_the_serving_process_tells_what_it_has_seen(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    monkeypatch.setattr(relay, "board", Board(lambda: 0.0))
    fail(relay.board, FAILURES)
    settings.UPSTREAM_AWAY_SECONDS = 0
    monkeypatch.setattr(relay.board, "list_resting", list)  # nobody is asked in a test
    await relay._check_resting()
    assert await Alarm.objects.acount() == 1
