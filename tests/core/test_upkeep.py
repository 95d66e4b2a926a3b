"""What is done again and again goes on whatever becomes of one round."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import InterfaceError, OperationalError

from core.upkeep import every


async def test_a_round_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    rounds: Iterator[Exception] = iter([OperationalError("away"), InterfaceError("closed"), KeyError("bug")])
    is_done = asyncio.Event()

    async def work() -> None:
        if (error := next(rounds, None)) is not None:
            raise error
        is_done.set()

    upkeep = asyncio.create_task(every(0, work))
    await asyncio.wait_for(is_done.wait(), 5)
    upkeep.cancel()
    with suppress(asyncio.CancelledError):
        await upkeep

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR"]


async def test_upkeep_that_is_cancelled_ends() -> None:
    has_begun = asyncio.Event()

    async def work() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    upkeep = asyncio.create_task(every(0, work))
    await asyncio.wait_for(has_begun.wait(), 5)
    upkeep.cancel()

    with pytest.raises(asyncio.CancelledError):
        await upkeep
