"""Two workers on one PostgreSQL, without Redis: what one knows the other knows (contract, C16, C24, C25, C26)."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.outages import Installation, Told, installed, wait_until
from tests.storms.clients import ask

pytestmark = pytest.mark.postgres

WORKERS, POOL, STREAMS = 2, 5, 200
HOLD = 1.0  # seconds in which a change may still be unknown somewhere


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    environment = {"DATABASE_POOL": str(POOL), "UPSTREAM_BETWEEN_SECONDS": "60", "LEASE_SECONDS": "30"}
    folder = tmp_path_factory.mktemp("workers")
    with installed(folder, people=4, workers=WORKERS, environment=environment) as installation:
        yield installation
        installation.manage("reconcile")


# Ours, which asks, is not among them.
CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
# A transaction is idle between two statements, for as long as Python takes to send the next.
FORGOTTEN = f"{CONNECTIONS} AND state LIKE 'idle in transaction%' AND state_change < now() - interval '1 second'"


def test_c16_open_streams_hold_no_connection(it: Installation) -> None:
    async def open_many() -> None:
        asking = [asyncio.create_task(insist(it)) for _ in range(STREAMS)]
        await asyncio.to_thread(wait_until, lambda: len(it.upstream.calls()) >= STREAMS)
        await asyncio.to_thread(look)
        for stream in asking:
            stream.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def look() -> None:
        wait_until(lambda: count_open(it) == STREAMS)
        for _ in range(20):
            assert len(it.postgres.query(CONNECTIONS)) <= WORKERS * POOL
            assert it.postgres.query(FORGOTTEN) == []
            time.sleep(0.05)

    for _ in range(4):  # both workers are warm: what the first call of a process costs is not the matter here
        it.call_at_once(4)
    it.upstream.arrivals.clear()
    asyncio.run(open_many())
    wait_until(lambda: count_open(it) == 0)
    assert len(it.postgres.query(CONNECTIONS)) <= WORKERS * POOL
    it.upstream.arrivals.clear()


async def insist(it: Installation) -> None:
    """One stream; a slow machine may refuse a crowd for a moment, and says when to come again."""
    while (await ask(it.server, it.keys[0], "stalls")).status == 503:  # noqa: ASYNC110  # no event of another process
        await asyncio.sleep(1)


def count_open(it: Installation) -> int:
    [(count,)] = it.postgres.query("SELECT count(*) FROM quotas_reservation WHERE state IN ('dispatched', 'settled')")
    return int(str(count))


# By hand in SQL, as the least that any page or command does; the last one asks everybody.
CHANGES = {
    "invalid_api_key": "UPDATE accounts_apikey SET revoked_at = now() WHERE user_id = {person}",
    "account_suspended": "UPDATE accounts_user SET is_active = false WHERE id = {person}",
    "policy_refused": """
        INSERT INTO policies_accessrule (role, operation, model, is_allowed, note)
        VALUES ('', '', 'no-usage', false, '')""",
    "acknowledgment_required": """
        CREATE TEMP TABLE new AS SELECT * FROM policies_clauseversion ORDER BY id DESC LIMIT 1;
        UPDATE new SET id = id + 1000, number = number + 1, published_at = now(), asks_again = true;
        INSERT INTO policies_clauseversion SELECT * FROM new""",
}


@pytest.mark.parametrize("code", CHANGES)
def test_c24_c25_c26_a_change_holds_everywhere_within_a_second(it: Installation, code: str) -> None:
    """Both workers are called all the time, and what they remember must not outlive the change."""
    number = list(CHANGES).index(code)
    people = [person for (person,) in it.postgres.query("SELECT id FROM accounts_user ORDER BY email")]
    with calling(it, it.keys[number], "no-usage" if code == "policy_refused" else "good") as told:
        wait_until(lambda: sum(call.status == 200 for _, call in told) >= 20)
        it.postgres.query(CHANGES[code].format(person=people[number]))
        committed = time.monotonic()
        wait_until(lambda: sum(began > committed + HOLD for began, _ in told) >= 10)

    late = [call for began, call in told if began > committed + HOLD]
    assert {call.code for call in late} - {"unavailable"} == {code}, late


@contextmanager
def calling(it: Installation, key: str, model: str) -> Iterator[list[tuple[float, Told]]]:
    """Callers that never rest, on connections of their own; when each call began, and what it was told."""
    told: list[tuple[float, Told]] = []
    is_over = threading.Event()

    def insist() -> None:
        while not is_over.is_set():
            began = time.monotonic()
            told.append((began, it.call(model, key)))

    callers = [threading.Thread(target=insist) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield told
    finally:
        is_over.set()
        for caller in callers:
            caller.join()
