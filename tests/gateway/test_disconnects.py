"""Clients that hang up, readers that stop reading, and a server that is told to stop (contract, C09, C12, C18)."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quotas.models import Allowance
from tests.fakes.upstream import Arrival, FakeUpstream
from tests.servers import Server, running_server
from usage.models import UsageRecord
from usage.types import Outcome, UsageSource

pytestmark = pytest.mark.both_databases


def call(server: Server, key: str, model: str, *, stream: bool = True) -> socket.socket:
    """Send one request, and hand over the connection unread."""
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        "Connection: close",
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


def read_all(connection: socket.socket) -> str:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces).decode()


def resident_megabytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def check_charged_once(outcome: Outcome) -> None:
    until(UsageRecord.objects.exists)
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (outcome, 1)
    counters = Allowance.objects.get()
    assert (counters.used, counters.held) == (1, 0)


def test_leaving_in_the_middle_hangs_up_on_the_provider_and_costs_the_prompt(
    server: Server, offered: FakeUpstream, saras_key: str
) -> None:
    connection = call(server, saras_key, "slow")
    while b"data:" not in connection.recv(4096):
        pass

    connection.close()

    assert arrived(offered).left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)
    assert UsageRecord.objects.get().usage_source == UsageSource.ESTIMATED


@pytest.mark.parametrize("model", ["silent", "headers-then-silent"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
def test_leaving_before_the_first_word_costs_it_too(
    server: Server, offered: FakeUpstream, saras_key: str, model: str, stream: bool
) -> None:
    connection = call(server, saras_key, model, stream=stream)
    arrival = arrived(offered)

    connection.close()

    assert arrival.left.wait(2)
    check_charged_once(Outcome.CLIENT_LEFT)


def test_readers_that_stop_reading_cost_the_server_no_memory(
    server: Server, offered: FakeUpstream, saras_key: str
) -> None:
    """10 answers of 8 MB each wait in bounded buffers, and at the provider; nothing of them is kept in between."""
    before = resident_megabytes(server)
    connections = [call(server, saras_key, "firehose") for _ in range(10)]
    for connection in connections:
        connection.recv(4096)

    assert resident_megabytes(server) - before < 40

    for connection in connections:
        connection.close()
    until(lambda: UsageRecord.objects.count() == 10, seconds=30)
    assert Allowance.objects.get().held == 0


def test_a_server_that_is_told_to_stop_finishes_what_runs(
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


def test_a_silent_stream_says_that_it_is_alive(server: Server, offered: FakeUpstream, saras_key: str) -> None:
    connection = call(server, saras_key, "stalls")
    answer = read_all(connection)
    connection.close()

    assert ": ping" in answer
    assert '"code":"upstream_timeout"' in answer
    assert "[DONE]" not in answer
