"""Crowds: writers on SQLite, a greedy person among modest ones, streams by the hundred (contract, C17, C32, C34)."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance
from quotas.services import set_quota
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.faults.outages import wait_until
from tests.gateway.test_disconnects import count_tasks
from tests.servers import Server, running_server
from tests.storms.clients import Received, ask, ask_in_waves

WRITERS, SECONDS = 50, how_many(2, 600)  # for which they write
MOST_AT_ONCE = 4
STREAMS = how_many(300, 10_000)
CALLERS = 20
WAVES = how_many(1, 100)  # of 20 people who ask at once
IDLE = 40.0  # seconds, until connections that were kept for the next call are surely closed
GROWTH = 20  # megabytes


async def ask_in_turns(server: Server, key: str, *, callers: int, goes_on: Callable[[int], bool]) -> list[Received]:
    """Callers who ask again as soon as they are answered, as long as `goes_on` says so of what they asked already."""

    async def insist() -> list[Received]:
        answers: list[Received] = []
        while goes_on(len(answers)):
            answers.append(await ask(server, key, "good"))
        return answers

    return [one for many in await asyncio.gather(*(insist() for _ in range(callers))) for one in many]


@pytest.fixture
def inside(offered: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    """A server that tells of its tasks, and takes whatever comes."""
    environment = {"OPENAI_BASE_URL": offered.base_url, "MAX_PARALLEL_CALLS": "0", "MAX_ATTEMPTS_PER_HOUR": "0"}
    with running_server(tmp_path, environment=environment, command=["-m", "tests.faults.inside"]) as server:
        yield server


def test_c17_fifty_writers_and_another_process_never_meet_a_locked_database(
    inside: Server, sara: User, saras_key: str
) -> None:
    set_quota(limit=1_000_000)
    until = time.monotonic() + SECONDS
    with writing_beside(sara) as written:
        answers = asyncio.run(
            ask_in_turns(inside, saras_key, callers=WRITERS, goes_on=lambda _asked: time.monotonic() < until)
        )

    assert Counter(answer.status for answer in answers) == {200: len(answers)}
    assert written
    assert "locked" not in inside.log.read_text()
    assert Allowance.objects.get().used == len(answers)
    report(
        f"{WRITERS} writers for {SECONDS} s, {len(answers)} calls, {len(written)} writes of another process",
        "none met a lock",
    )


@contextmanager
def writing_beside(person: User) -> Iterator[list[int]]:
    """This process writes to the same file all the while."""
    written: list[int] = []
    is_over = threading.Event()

    def write() -> None:
        while not is_over.wait(0.02):
            written.append(User.objects.filter(pk=person.pk).update(name=f"Sara {len(written)}"))
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        is_over.set()
        writer.join()


def test_c34_one_greedy_person_keeps_nobody_from_their_answer(
    offered: FakeUpstream, sara: User, saras_key: str, tmp_path: Path
) -> None:
    """A hundred calls at once are four; whoever else asks at the same moment is answered, each time."""
    others = [User.objects.create_user(f"modest{number}@example.edu", name="Modest") for number in range(20)]
    keys = [create_api_key(user_id=other.pk, name="laptop")[1] for other in others]
    set_quota(limit=10_000)
    environment = {
        "OPENAI_BASE_URL": offered.base_url,
        "MAX_PARALLEL_CALLS": str(MOST_AT_ONCE),
        "MAX_ATTEMPTS_PER_HOUR": "0",
    }
    refused: list[Received] = []

    async def crowd(server: Server) -> tuple[list[Received], float, float]:
        @asynccontextmanager
        async def greed() -> AsyncIterator[None]:
            calls = [asyncio.create_task(ask(server, saras_key, "stalls")) for _ in range(100)]
            yield
            await asyncio.to_thread(wait_until, lambda: sum(call.done() for call in calls) >= 100 - MOST_AT_ONCE)
            refused.extend(call.result() for call in calls if call.done())
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

        await ask_in_waves(server, keys, "unhurried", waves=1)  # what a process's first calls cost is no matter here
        _, alone = await ask_in_waves(server, keys, "unhurried", waves=WAVES)
        modest, beside = await ask_in_waves(server, keys, "unhurried", waves=WAVES, beside=greed)
        return modest, alone, beside

    with running_server(tmp_path, environment=environment) as server:
        modest, alone, beside = asyncio.run(crowd(server))

    assert [answer.status for answer in modest] == [200] * 20 * WAVES
    assert all(answer.is_complete for answer in modest)
    assert {answer.status for answer in refused} == {429}
    assert all("retry-after:" in answer.text for answer in refused)
    stalled = sum(arrival.model == "stalls" for arrival in offered.calls())
    assert MOST_AT_ONCE <= stalled <= MOST_AT_ONCE * WAVES
    report(
        f"99 of 100 answers to 20 people, {WAVES} waves",
        f"within {alone * 1000:.0f} ms, and {beside * 1000:.0f} ms while another sends a hundred calls",
    )


def test_c32_streams_leave_neither_memory_nor_files_nor_threads_nor_tasks(inside: Server, saras_key: str) -> None:
    set_quota(limit=100_000)
    asyncio.run(ask_in_turns(inside, saras_key, callers=CALLERS, goes_on=lambda asked: asked < 10))
    # What reads the database has its thread from its first question on.
    httpx2.get(f"{inside.address}/v1/models", headers={"authorization": f"Bearer {saras_key}"}).raise_for_status()
    before, tasks = look_at(inside), count_tasks(inside)

    answers = asyncio.run(
        ask_in_turns(inside, saras_key, callers=CALLERS, goes_on=lambda asked: asked < STREAMS // CALLERS)
    )

    assert all(answer.is_complete for answer in answers)
    wait_until(lambda: look_at(inside)["files"] <= before["files"], patience=IDLE)
    wait_until(lambda: count_tasks(inside) <= tasks)
    after = look_at(inside)
    assert after["megabytes"] - before["megabytes"] <= GROWTH
    assert after["threads"] <= before["threads"]
    report(f"{len(answers)} streams", f"megabytes {before['megabytes']} → {after['megabytes']}")


def look_at(server: Server) -> dict[str, int]:
    process = Path(f"/proc/{server.process.pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    return {
        "megabytes": int(status["VmRSS"].split()[0]) // 1024,
        "threads": int(status["Threads"]),
        # Upkeep may open the database for itself in between: a connection for each thread, and threads are counted.
        "files": sum("sqlite3" not in target for target in list_targets(process)),
    }


def list_targets(process: Path) -> Iterator[str]:
    """What the open files of a process are."""
    for file in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            yield str(file.readlink())
