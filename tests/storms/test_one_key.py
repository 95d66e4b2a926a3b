"""One Idempotency-Key in many hands: one call, one charge, whoever dies meanwhile (contract, C19)."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import User
from quotas.models import Allowance
from tests.books import check_books, has_open_calls
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import report
from tests.faults.outages import wait_until
from tests.servers import Server, running_server
from tests.storms.clients import Received, ask
from usage.models import UsageRecord

CLIENTS = 200
HEADER = "Idempotency-Key: homework"
UNLIMITED = {"MAX_PARALLEL_CALLS": "0", "MAX_ATTEMPTS_PER_HOUR": "0"}

pytestmark = pytest.mark.both_databases


def test_c19_two_hundred_racers_with_one_key_are_one_call(
    offered: FakeUpstream, sara: User, saras_key: str, tmp_path: Path
) -> None:
    """Between two processes, so that it is the database which decides."""
    environment = {"OPENAI_BASE_URL": offered.base_url, **UNLIMITED}
    with running_server(tmp_path, workers=2, environment=environment) as server:
        answers = asyncio.run(race(server, saras_key))
        again = asyncio.run(ask(server, saras_key, "good", HEADER))

    told = Counter(answer.status for answer in answers)
    assert set(told) <= {200, 409}
    assert told[200] >= 1
    assert len(offered.calls()) == 1
    assert {events_of(answer) for answer in answers if answer.status == 200} == {events_of(again)}
    assert "idempotent-replayed: true" in again.text
    assert set(UsageRecord.objects.values_list("outcome", "prompts")) - {("refused", 0)} == {("served", 1)}
    assert Allowance.objects.values_list("used", "held").get() == (1, 0)
    check_books()
    report(f"200 racers with one Idempotency-Key, 2 workers, {connection.vendor}", f"1 call, told {dict(told)}")


def test_c19_a_server_that_dies_under_a_key_charges_nothing_and_leaves_it_to_the_next(
    offered: FakeUpstream, sara: User, saras_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"OPENAI_BASE_URL": offered.base_url, **UNLIMITED, "LEASE_SECONDS": "3", "SWEEP_SECONDS": "1"}
    with running_server(tmp_path / "first", environment=environment) as server:
        asyncio.run(die_in_the_middle(server, saras_key, offered))
    with running_server(tmp_path / "second", environment=environment) as server:
        early = asyncio.run(ask(server, saras_key, "silent", HEADER))
        wait_until(lambda: not has_open_calls())
        other = asyncio.run(ask(server, saras_key, "good", "Idempotency-Key: another"))
        monkeypatch.setattr(offered, "behaviors", {**offered.behaviors, "silent": offered.behaviors["good"]})
        wait_until(lambda: asyncio.run(ask(server, saras_key, "silent", HEADER)).is_complete)

    assert early.status == 409
    assert other.is_complete
    assert Allowance.objects.values_list("used", "held").get() == (2, 0)
    check_books()


async def race(server: Server, key: str) -> list[Received]:
    barrier = asyncio.Barrier(CLIENTS)
    return await asyncio.gather(*(ask(server, key, "good", HEADER, barrier=barrier) for _ in range(CLIENTS)))


async def die_in_the_middle(server: Server, key: str, upstream: FakeUpstream) -> None:
    call = asyncio.create_task(ask(server, key, "silent", HEADER))
    await asyncio.to_thread(wait_until, upstream.calls)
    os.killpg(server.process.pid, signal.SIGKILL)
    assert not (await call).is_complete


def events_of(answer: Received) -> tuple[str, ...]:
    """What was said, however it was cut into pieces on the way."""
    return tuple(line for line in answer.text.splitlines() if line.startswith("data: "))
