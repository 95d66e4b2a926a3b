"""Clients that hang up, readers that stop reading, and a server that is told to stop (contract, C09, C12, C18)."""

import asyncio
import json
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from django.db import connection as database

from accounts.models import User
from accounts.services import suspend_person
from core.threads import hop
from gateway import relay
from gateway.asgi import application
from quotas.models import Allowance
from quotas.services import set_quota
from tests.fakes.upstream import Arrival, FakeUpstream, dripping_until, gushing
from tests.faults.length import how_many, report
from tests.gateway.test_last_byte import Caller
from tests.servers import Server, running_server
from usage.models import UsageRecord
from usage.types import Outcome, UsageSource

pytestmark = pytest.mark.both_databases

# What a request says of its connection: one that is to end is answered by ASGI's way, one that stays by the direct one.
both_ways = pytest.mark.parametrize("lasts", ["close", "keep-alive"])


def call(server: Server, key: str, model: str, *, stream: bool = True, lasts: str = "close") -> socket.socket:
    """Send one request, and hand over the connection unread."""
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        f"Connection: {lasts}",
        f"Content-Length: {len(body)}",
    ]
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    return connection


def until(truth: Callable[[], object], *, seconds: float = 10) -> None:
    """Another process brings it about: there is no event to wait for."""
    latest = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < latest, "it did not happen"
        time.sleep(0.02)


def arrived(upstream: FakeUpstream) -> Arrival:
    until(upstream.calls)
    return upstream.calls()[0]


def hear_a_word(connection: socket.socket) -> None:
    """Read up to the first event of a stream."""
    while b"data:" not in (piece := connection.recv(4096)):
        assert piece, "it ended without a word"


def read_all(connection: socket.socket) -> str:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces).decode()


def resident_megabytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def open_connections(server: Server) -> int:
    names = []
    for file in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(file.readlink().name)
    return len([name for name in names if name.startswith("socket:")])


def count_tasks(server: Server) -> Counter[str]:
    """How many tasks of each kind there are in a server that tells it (tests.faults.inside)."""
    return Counter(httpx2.get(f"{server.address}/inside/tasks").json())


def check_charged_once(outcome: Outcome) -> None:
    until(UsageRecord.objects.exists)
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (outcome, 1)
    counters = Allowance.objects.get()
    assert (counters.used, counters.held) == (1, 0)


@both_ways
def test_c09_leaving_in_the_middle_hangs_up_on_the_provider_and_costs_the_prompt(
    server: Server, offered: FakeUpstream, saras_key: str, lasts: str
) -> None:
    connection = call(server, saras_key, "slow", lasts=lasts)
    hear_a_word(connection)

    connection.close()

    assert arrived(offered).left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)
    assert UsageRecord.objects.get().usage_source == UsageSource.ESTIMATED


@both_ways
def test_c09_leaving_hangs_up_on_a_provider_that_says_more_than_anybody_reads(
    server: Server, offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch, lasts: str
) -> None:
    """Such a one often learns of it while it writes, and not where it listens."""
    monkeypatch.setattr(offered, "behaviors", {**offered.behaviors, "slow": gushing})
    connection = call(server, saras_key, "slow", lasts=lasts)
    hear_a_word(connection)

    connection.close()

    assert arrived(offered).left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)


@pytest.mark.parametrize("model", ["silent", "headers-then-silent"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@both_ways
def test_c09_leaving_before_the_first_word_costs_it_too(
    server: Server, offered: FakeUpstream, saras_key: str, model: str, *, stream: bool, lasts: str
) -> None:
    connection = call(server, saras_key, model, stream=stream, lasts=lasts)
    arrival = arrived(offered)

    connection.close()

    assert arrival.left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)


@both_ways
def test_c12_readers_that_stop_reading_cost_the_server_no_memory(
    server: Server, offered: FakeUpstream, saras_key: str, lasts: str
) -> None:
    """10 answers of 8 MB each wait in bounded buffers, and at the provider; nothing of them is kept in between."""
    before = resident_megabytes(server)
    connections = [call(server, saras_key, "firehose", lasts=lasts) for _ in range(10)]
    for connection in connections:
        connection.recv(4096)

    assert resident_megabytes(server) - before < 40

    for connection in connections:
        connection.close()
    until(lambda: UsageRecord.objects.count() == 10, seconds=30)
    assert Allowance.objects.get().held == 0


def test_c18_a_server_that_is_told_to_stop_finishes_what_runs(
    offered: FakeUpstream, running_upstream: FakeUpstream, saras_key: str, tmp_path: Path
) -> None:
    with running_server(tmp_path, environment={"OPENAI_BASE_URL": running_upstream.base_url}) as server:
        connection = call(server, saras_key, "unhurried")
        arrived(offered)
        ending = threading.Thread(target=server.end, args=(signal.SIGTERM,))
        ending.start()
        answer = read_all(connection)
        connection.close()
        ending.join(30)

    assert "data: [DONE]" in answer
    check_charged_once(Outcome.SERVED)


def test_c18_what_takes_longer_is_ended_with_an_error_and_given_back(
    offered: FakeUpstream, running_upstream: FakeUpstream, saras_key: str, tmp_path: Path
) -> None:
    environment = {"OPENAI_BASE_URL": running_upstream.base_url}
    impatient = ["manage.py", "serve", "--grace", "1"]
    with running_server(tmp_path, environment=environment, command=impatient) as server:
        connection = call(server, saras_key, "slow")
        hear_a_word(connection)
        ending = threading.Thread(target=server.end, args=(signal.SIGTERM,))
        ending.start()
        answer = read_all(connection)
        connection.close()
        ending.join(30)

    assert '"code":"unavailable"' in answer
    assert "[DONE]" not in answer
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (Outcome.LOST, 0)
    counters = Allowance.objects.get()
    assert (counters.used, counters.held) == (0, 0)


@pytest.mark.parametrize("turns", range(5))
async def test_c18_a_client_that_leaves_as_the_server_stops_keeps_no_other_call_from_its_end(
    offered: FakeUpstream, saras_key: str, turns: int
) -> None:
    """However few turns of the loop lie between the two."""
    callers = [Caller(saras_key, model="slow", stream=True) for _ in range(2)]
    async with relay.lifespan():
        calls = [asyncio.create_task(application(one.scope, one.receive, one.send)) for one in callers]
        for caller in callers:
            await caller.has_taken(2)
        callers[0].has_left.set()
        for _ in range(turns):
            await asyncio.sleep(0)
    await asyncio.gather(*calls)

    assert b'"code":"unavailable"' in callers[1].bodies[-1]
    outcomes = await hop(lambda: list(UsageRecord.objects.values_list("outcome", flat=True)))
    assert sorted(outcomes) == [Outcome.CLIENT_LEFT, Outcome.LOST]


def test_c24_a_stream_of_who_is_suspended_meanwhile_is_cut(
    server: Server, offered: FakeUpstream, saras_key: str, sara: User, root: User
) -> None:
    connection = call(server, saras_key, "slow")
    hear_a_word(connection)

    suspend_person(user_id=sara.id)
    answer = read_all(connection)
    connection.close()

    assert '"code":"account_suspended"' in answer
    assert "[DONE]" not in answer
    assert arrived(offered).left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)
    assert UsageRecord.objects.get().code == "account_suspended"


async def test_c24_a_look_at_who_is_suspended_that_meets_a_bug_is_not_the_last(
    offered: FakeUpstream, saras_key: str, sara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Iterator[set[int] | Exception] = iter([RuntimeError("a bug"), {sara.pk}])

    def look(_people: set[int]) -> set[int]:
        found = next(looks, set())
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(relay, "list_suspended", look)
    monkeypatch.setattr(relay, "_LOOK_SECONDS", 0.01)
    caller = Caller(saras_key, model="slow", stream=True)
    async with relay.lifespan():
        await application(caller.scope, caller.receive, caller.send)

    assert b'"code":"account_suspended"' in caller.bodies[-1]


def test_a_silent_stream_says_that_it_is_alive(server: Server, offered: FakeUpstream, saras_key: str) -> None:
    connection = call(server, saras_key, "stalls")
    answer = read_all(connection)
    connection.close()

    assert ": ping" in answer
    assert '"code":"upstream_timeout"' in answer
    assert "[DONE]" not in answer


@pytest.fixture
def patient_server(offered: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    """A server that ends no call of its own accord while a crowd is still on its way, however slow the machine.

    It tells of its tasks.
    """
    environment = {
        "OPENAI_BASE_URL": offered.base_url,
        "MAX_PARALLEL_CALLS": "0",
        "MAX_ATTEMPTS_PER_HOUR": "0",
        "UPSTREAM_FIRST_BYTE_SECONDS": "120",
        "PING_SECONDS": "1",
    }
    with running_server(tmp_path, environment=environment, command=["-m", "tests.faults.inside"]) as server:
        yield server


def test_c09_clients_leave_at_any_moment_and_nothing_of_them_stays(
    patient_server: Server, offered: FakeUpstream, saras_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the head, between two words, during silence, by half a close. A second crowd needs hardly more memory."""
    server, count, dice = patient_server, how_many(60, 500), random.Random(9)
    monkeypatch.setattr(offered, "behaviors", {**offered.behaviors, "slow": dripping_until(threading.Event())})
    set_quota(limit=2 * count)
    idle, tasks = open_connections(server) + 5, count_tasks(server)  # the database's pool may grow
    leave_at_any_moment(server, offered, saras_key, count=count, dice=dice)
    until(lambda: open_connections(server) <= idle)
    memory = resident_megabytes(server)

    leave_at_any_moment(server, offered, saras_key, count=count, dice=dice)

    assert UsageRecord.objects.count() == 2 * count
    assert set(UsageRecord.objects.values_list("outcome", "prompts")) == {(Outcome.CLIENT_LEFT, 1)}
    counters = Allowance.objects.get()
    assert (counters.used, counters.held) == (2 * count, 0)
    until(lambda: open_connections(server) <= idle)
    until(lambda: count_tasks(server) <= tasks)
    grown = resident_megabytes(server) - memory
    assert grown <= 10
    report(f"{count} clients that hang up, {database.vendor}", f"providers hung up on, charged once, {grown} MB more")


def leave_at_any_moment(server: Server, offered: FakeUpstream, key: str, *, count: int, dice: random.Random) -> None:
    """So many clients at once; when this returns, each has left and is recorded."""
    recorded, earlier = UsageRecord.objects.count(), len(offered.calls())
    models = [dice.choice(["slow", "silent", "headers-then-silent"]) for _ in range(count)]
    connections = [call(server, key, model, lasts=dice.choice(["close", "keep-alive"])) for model in models]
    until(lambda: len(offered.calls()) == earlier + count, seconds=60)
    for model, connection in zip(models, connections, strict=True):
        if model == "slow" and dice.random() < 0.5:
            connection.recv(dice.randrange(1, 400))
        if dice.random() < 0.3:
            connection.shutdown(socket.SHUT_WR)
        else:
            connection.close()
    assert all(arrival.left.wait(5) for arrival in offered.calls())
    until(lambda: UsageRecord.objects.count() == recorded + count, seconds=60)
    for connection in connections:
        connection.close()
