"""A database that is away, in every way there is: nothing is admitted, and everybody hears 503 (contract, C14, C40).

Each outage is made once, and the tests of both rules read what was seen. A database that may forget is none (C01), and
one whose disk fills is there for whatever needs no room (C15).
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.contract.test_unknown_commits import records_in, used_in
from tests.fakes.upstream import held_until
from tests.faults.length import how_many, report
from tests.faults.outages import MUTE, OF_POSTGRES, Installation, Told, installed, stopped, wait_until
from tests.servers import ROOT, SERVE, running_server
from tests.storms.clients import Received, ask

pytestmark = pytest.mark.postgres

MOST_IN_TWO_MEGABYTES = 1000  # calls; each of their rows takes a page or more
NOTICED_WITHIN = 5.0  # seconds until a proxy is told to send nobody here
# Each turn is a value of its own: pytest makes nothing twice for the same one.
TURNS = [
    pytest.param((outage, turn), id=f"{outage}-{turn}") for outage in OF_POSTGRES for turn in range(how_many(1, 20))
]


@dataclass(frozen=True)
class Seen:
    """What callers, a stream that ran, and probes saw of an outage."""

    told: list[Told]
    heard: int  # calls that went upstream meanwhile
    running: Received
    alive: int
    unready_after: float
    pages: set[int]
    served_after: float
    ready_again: int


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("outages")) as installation:
        yield installation
        installation.manage("reconcile")


@pytest.fixture(scope="module", params=TURNS)
def seen(request: pytest.FixtureRequest, it: Installation) -> Seen:
    outage, _turn = request.param
    assert it.call().status == 200
    is_over = threading.Event()
    it.upstream.behaviors = {**it.upstream.behaviors, "slow": held_until(is_over)}
    with ThreadPoolExecutor() as beside:
        running = beside.submit(asyncio.run, ask(it.server, it.keys[0], "slow"))
        wait_until(lambda: it.upstream.calls()[-1].model == "slow" and count_settled(it) == 1)
        heard = len(it.upstream.calls())
        with OF_POSTGRES[outage](it):
            unready_after = wait_until(lambda: it.status_of("/readyz") == 503)
            told = it.call_at_once(4)
            heard = len(it.upstream.calls()) - heard
            alive = it.status_of("/healthz")
            pages = set() if outage in MUTE else {it.status_of(page) for page in ("/", "/api/me/")}
            is_over.set()
        served_after = it.wait_until_served()
        ready_again = it.status_of("/readyz")
        seen = Seen(told, heard, running.result(), alive, unready_after, pages, served_after, ready_again)
    it.wait_until_quiet()
    slowest = max(call.seconds for call in told)
    report(f"PostgreSQL {outage}", f"503 within {slowest:.1f} s, served {served_after:.1f} s after")
    return seen


def count_settled(it: Installation) -> int:
    return int(str(it.postgres.query("SELECT count(*) FROM quotas_reservation WHERE state = 'settled'")[0][0]))


def test_c14_without_its_database_the_gateway_admits_nothing_and_what_runs_is_finished(seen: Seen) -> None:
    assert seen.heard == 0
    assert {(call.status, call.code) for call in seen.told} == {(503, "unavailable")}, seen.told
    assert all(call.retry_after for call in seen.told)
    assert seen.pages <= {200, 302, 503}
    assert seen.running.is_complete, seen.running.text[-500:]


def test_c40_a_server_without_its_database_is_alive_and_not_ready(seen: Seen) -> None:
    assert seen.alive == 200
    assert seen.unready_after <= NOTICED_WITHIN
    assert seen.ready_again == 200


def test_c01_a_database_that_answers_before_it_is_durable_is_not_ready(it: Installation) -> None:
    with it.postgres.forgetful():
        wait_until(lambda: it.status_of("/readyz") == 503)
    wait_until(lambda: it.status_of("/readyz") == 200)


def test_c01_neither_server_nor_worker_starts_on_a_database_that_may_forget(it: Installation) -> None:
    """One that runs goes on: a mistake in the settings ends nobody's answer."""
    worker = ["-m", "celery", "--app", "config.celery", "worker", "--pool", "solo"]
    with it.postgres.forgetful():
        wait_until(lambda: it.status_of("/readyz") == 503)
        for command in (SERVE, worker):
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **it.environment},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert "synchronous_commit is off" in done.stderr
        assert it.call().status == 200
    wait_until(lambda: it.status_of("/readyz") == 200)


def test_c14_a_server_starts_without_its_database_and_waits_for_it(it: Installation, tmp_path: Path) -> None:
    with stopped(it), running_server(tmp_path, environment=it.environment) as server:
        assert httpx2.get(f"{server.address}/readyz").status_code == 503
    it.wait_until_served()


def test_c15_a_disk_that_fills_admits_nothing_and_forgets_nothing(it: Installation) -> None:
    """As on SQLite (test_full_disk.py); here the calls themselves fill it, admissions and conclusions alike."""
    for _ in range(how_many(1, 10)):
        it.wait_until_quiet()
        heard, used, records = len(it.upstream.calls()), used_in(it), records_in(it)
        told: list[Told] = []
        with it.postgres.filling("quotas_reservation"):
            while not told or told[-1].status == 200:
                assert len(told) < MOST_IN_TWO_MEGABYTES
                told.append(it.call())
            told += [call for _ in range(3) for call in it.call_at_once(4)]
        it.wait_until_served()
        it.wait_until_quiet()

        assert {(call.status, call.code) for call in told} == {(200, ""), (503, "unavailable")}
        assert all(call.retry_after for call in told if call.status == 503)
        served = sum(call.status == 200 for call in told) + 1  # the one we waited for
        assert len(it.upstream.calls()) - heard == used_in(it) - used == records_in(it) - records == served
        report("PostgreSQL's disk full", f"in the middle of {len(told)} calls, {served} served, recorded and charged")
