"""Servers that are killed in the middle of everything: nothing lost, nothing doubled (contract, C01, C04, C05)."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Sum

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance, LedgerEntry, Reservation
from quotas.services import set_quota
from quotas.types import OPEN_STATES, EntryKind, State
from tests.books import check_books
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.servers import Server, running_server
from tests.storms.clients import Received, ask
from usage.models import UsageRecord
from usage.types import Outcome

KILLS = how_many(100, 500)
CLIENTS = 24
PEOPLE = 6
WORKERS = 2
FORKING = ["-m", "tests.storms.forking_server"]

pytestmark = pytest.mark.both_databases


def test_c05_a_hundred_kills_lose_nothing_and_double_nothing(
    offered: FakeUpstream, running_upstream: FakeUpstream, tmp_path: Path
) -> None:
    environment = {
        "OPENAI_BASE_URL": running_upstream.base_url,
        "MAX_PARALLEL_CALLS": "0",
        "MAX_ATTEMPTS_PER_HOUR": "0",
        "LEASE_SECONDS": "6",  # a crowded machine renews late, and nobody who lives is to be swept
        "SWEEP_SECONDS": "1",
    }
    set_quota(limit=100_000)
    keys = [create_api_key(user_id=person.id, name="storm")[1] for person in make_people()]

    with running_server(tmp_path, workers=WORKERS, environment=environment, command=FORKING) as server:
        answers = asyncio.run(storm(server, keys, strikes=KILLS, strike=kill_one))
        wait_for_the_sweep()

    reservations = {str(row.call_id): row for row in Reservation.objects.all()}
    records = {str(row.call_id): row for row in UsageRecord.objects.all()}
    arrived = {arrival.call_id for arrival in offered.calls()}
    assert arrived <= reservations.keys()  # no call went upstream without its row
    assert {row.state for row in reservations.values()} <= {State.CLOSED, State.RELEASED, State.REVERSED}
    assert records.keys() == reservations.keys()  # every call has its record, and one only
    complete = [answer.request_id for answer in answers if answer.is_complete]
    assert {records[call_id].outcome for call_id in complete} == {Outcome.SERVED}
    assert {records[call_id].prompts for call_id in complete} == {1}
    used = sum(record.prompts for record in records.values())
    assert Allowance.objects.aggregate(used=Sum("used"), held=Sum("held")) == {"used": used, "held": 0}
    assert LedgerEntry.objects.filter(kind=EntryKind.SETTLE).count() >= used
    check_books()
    # The storm did what it was for: calls were cut short, and others came through.
    assert any(record.outcome == Outcome.LOST for record in records.values())
    assert len(complete) > KILLS
    report(
        f"{KILLS} kills, {connection.vendor}", f"{len(records)} calls, {len(complete)} seen whole: 0 lost, 0 doubled"
    )


def make_people() -> Iterator[User]:
    for number in range(PEOPLE):
        yield User.objects.create_user(f"stormy{number}@example.edu", name="Stormy")


async def kill_one(server: Server) -> None:
    os.kill(random.choice(list_processes(server)), signal.SIGKILL)
    await asyncio.sleep(random.uniform(0, 0.2))


async def storm(
    server: Server, keys: list[str], *, strikes: int, strike: Callable[[Server], Awaitable[None]]
) -> list[Received]:
    """Clients that ask again and again, while something is done to the server time after time."""
    answers: list[Received] = []
    has_answered, is_over = asyncio.Event(), asyncio.Event()

    async def insist(key: str) -> None:
        while not is_over.is_set():
            answer = await ask(server, key, "unhurried")
            answers.append(answer)
            if answer.is_complete:
                has_answered.set()
            elif not answer.status:
                await asyncio.sleep(0.05)  # nobody listened: do not spin

    clients = [asyncio.create_task(insist(keys[number % len(keys)])) for number in range(CLIENTS)]
    for _ in range(strikes):
        has_answered.clear()
        await asyncio.wait_for(has_answered.wait(), 30)
        await strike(server)
    is_over.set()
    await asyncio.gather(*clients)
    return answers


def list_processes(server: Server) -> list[int]:
    """The serving processes: the children of the one that forks them."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def wait_for_the_sweep() -> None:
    latest = time.monotonic() + how_many(60, 300)  # whoever lives a second sweeps little: most is left to the last two
    while left := list(Reservation.objects.filter(state__in=OPEN_STATES).values("state", "created_at", "lease_until")):
        assert time.monotonic() < latest, left
        time.sleep(0.2)  # another process sweeps, on its own clock
