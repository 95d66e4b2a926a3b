"""A provider that rests and stays away is told to administrators; one that stumbles is not."""

import pytest
from django.conf import LazySettings

from gateway import relay
from gateway.errors import UpstreamDown
from gateway.routing import FAILURES, Board
from gateway.services import tell_away
from tests.gateway.test_routing import asked, place
from usage.models import Alarm


def fail(board: Board, times: int) -> None:
    target = asked(place(1))
    for _ in range(times):
        board.begin(target)
        board.end(target, UpstreamDown())


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
