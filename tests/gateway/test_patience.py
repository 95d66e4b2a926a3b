"""Whoever waits for a silent database is told so, and nobody else (contract, C14)."""

import asyncio
import time

import pytest
from django.db import connection

from core.errors import Unavailable
from gateway import patience
from gateway.patience import Patience, signs


@pytest.fixture(autouse=True)
def _short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TICK", 0.01)
    monkeypatch.setattr(patience, "SECONDS", 0.05)


async def answer(after: float) -> str:
    await asyncio.sleep(after)
    return "answered"


def test_a_silent_database_is_told_to_who_waits_and_its_late_answer_ends_the_silence() -> None:
    async def ask() -> str:
        database = Patience()
        with pytest.raises(Unavailable):
            await database.wait_for(answer(0.5))
        with pytest.raises(Unavailable):  # at once: one caller at a time tries
            await database.wait_for(answer(0))
        await asyncio.sleep(0.5)
        return await database.wait_for(answer(0))

    assert asyncio.run(ask()) == "answered"


def test_a_slow_answer_is_waited_for_while_others_are_answered() -> None:
    async def ask() -> str:
        database = Patience()
        slow = asyncio.create_task(database.wait_for(answer(0.3)))
        while not slow.done():
            await database.wait_for(answer(0.001))
        return await slow

    assert asyncio.run(ask()) == "answered"


def test_an_answer_to_anybody_in_the_process_keeps_all_who_wait() -> None:
    async def ask() -> str:
        slow = asyncio.create_task(Patience().wait_for(answer(0.3)))
        while not slow.done():
            signs.note()
            await asyncio.sleep(0.005)
        return await slow

    assert asyncio.run(ask()) == "answered"


@pytest.mark.both_databases
def test_each_answered_statement_is_a_sign(db: None) -> None:
    before = signs.latest
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    assert signs.latest > before


def test_a_process_that_was_held_up_itself_calls_nobody_silent() -> None:
    async def ask() -> str:
        asking = asyncio.create_task(Patience().wait_for(answer(0.005)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251  # the whole loop stands still
        return await asking

    assert asyncio.run(ask()) == "answered"
