"""A server that stands still for longer than a lease, and then goes on (contract, C07)."""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import User
from quotas.models import Allowance, Reservation
from quotas.services import set_quota
from quotas.types import State
from tests.books import check_books, has_open_calls
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.faults.outages import wait_until
from tests.servers import Server, running_server
from tests.storms.clients import Received, ask
from usage.models import UsageRecord

CALLS = how_many(6, 60)

pytestmark = pytest.mark.both_databases


def test_c07_calls_of_a_server_that_stood_still_are_ended_once(
    offered: FakeUpstream, sara: User, saras_key: str, tmp_path: Path
) -> None:
    environment = {
        "OPENAI_BASE_URL": offered.base_url,
        "MAX_PARALLEL_CALLS": "0",
        "LEASE_SECONDS": "3",
        "SWEEP_SECONDS": "1",
        "UPSTREAM_FIRST_BYTE_SECONDS": "5",
        "UPSTREAM_BETWEEN_SECONDS": "5",
    }
    set_quota(limit=CALLS + 1)
    with (
        running_server(tmp_path / "still", environment=environment) as still,
        running_server(tmp_path / "sweeping", environment=environment) as sweeping,
    ):
        answers = asyncio.run(stand_still(still, saras_key, offered))
        after = asyncio.run(ask(sweeping, saras_key, "good"))

    records = list(UsageRecord.objects.values_list("call_id", "prompts"))
    assert len({call_id for call_id, _ in records}) == len(records) == CALLS + 1
    assert len(answers) == CALLS
    assert after.is_complete
    used = sum(prompts for _, prompts in records)
    assert Allowance.objects.values_list("used", "held").get() == (used, 0)
    check_books()
    report(f"{CALLS} streams of a server that stood still", f"each ended once, {used - 1} were charged")


async def stand_still(server: Server, key: str, upstream: FakeUpstream) -> list[Received]:
    """Calls with and without a first word, whose server stops until another has ended them, and then learns of it."""
    models = ["slow", "headers-then-silent"] * (CALLS // 2)
    calls = [asyncio.create_task(ask(server, key, model)) for model in models]
    await asyncio.to_thread(wait_until, lambda: Reservation.objects.filter(state=State.SETTLED).count() == CALLS // 2)
    await asyncio.to_thread(wait_until, lambda: len(upstream.calls()) == CALLS)
    try:
        await asyncio.to_thread(wait_until, lambda: stands_without_a_lock(server))
        await asyncio.to_thread(wait_until, lambda: not has_open_calls())
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)
    return list(await asyncio.gather(*calls))


def stands_without_a_lock(server: Server) -> bool:
    """Stop the server; if that was in the middle of a write, whose locks would keep everybody waiting, let it go on."""
    os.killpg(server.process.pid, signal.SIGSTOP)
    wait_until(lambda: server.stands_still)
    if not is_locked():
        return True
    os.killpg(server.process.pid, signal.SIGCONT)
    return False


def is_locked() -> bool:
    """Whether anybody is in the middle of a write."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)) as other:
            try:
                other.execute("begin immediate")
            except sqlite3.OperationalError:
                return True
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and xact_start is not null)"
        )
        return bool(cursor.fetchone()[0])
