"""People who read a hundred bytes a second of answers without end: the provider waits (contract, C11, C12)."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import connection as database

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance
from quotas.selectors import find_differences
from quotas.services import set_quota
from tests.fakes.upstream import Arrival, FakeUpstream, Out
from tests.fakes.upstream import _piece as piece
from tests.faults.length import IS_LONG, how_many, report
from tests.faults.outages import wait_until
from tests.gateway.test_disconnects import both_ways, call, resident_megabytes
from tests.servers import Server
from tests.storms.clients import ask_in_waves
from usage.models import UsageRecord
from usage.types import Outcome

READERS = how_many(10, 50)  # until the provider waits for all of them less time must pass than until one is given up
MOST_MEGABYTES = 10 + READERS  # what the server may grow by; whole answers, up to their bound, would be 10 each
OTHERS, WAVES = 20, how_many(1, 100)  # of a third of a second: all over before a reader is given up
GIVEN_UP = 60.0  # seconds after which a reader that takes nothing has left

pytestmark = pytest.mark.both_databases


@pytest.fixture
def sent(offered: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each piece had that the provider could hand over; it has more as long as somebody takes it."""
    sent: list[int] = []

    async def pour(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.open_stream()
        while True:
            await out.event(piece({"content": "x" * 8000}))
            sent.append(8000)

    monkeypatch.setattr(offered, "behaviors", {**offered.behaviors, "firehose": pour})
    return sent


@both_ways
def test_c11_c12_who_reads_slowly_makes_the_provider_wait_and_nobody_else(
    server: Server, offered: FakeUpstream, sent: list[int], saras_key: str, omar: User, *, lasts: str
) -> None:
    set_quota(limit=10_000)
    others = [create_api_key(user_id=omar.pk, name="laptop")[1]] * OTHERS
    asyncio.run(ask_in_waves(server, others, "unhurried", waves=1))  # its first calls cost more
    _, alone = asyncio.run(ask_in_waves(server, others, "unhurried", waves=WAVES))
    before = resident_megabytes(server)
    with ExitStack() as stack:
        readers = [stack.enter_context(call(server, saras_key, "firehose", lasts=lasts)) for _ in range(READERS)]
        for reader in readers:  # or the kernels between would take whole answers, up to their bound
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with sipping(readers):
            wait_until(lambda: len(streams_of(offered)) == READERS)
            wait_until(lambda: has_stopped(sent))
            answers, beside = asyncio.run(ask_in_waves(server, others, "unhurried", waves=WAVES))
            grown, poured = resident_megabytes(server) - before, sum(sent) // 1_000_000
        streams = streams_of(offered)
        assert not any(arrival.ended.is_set() for arrival in streams)  # they wait: nobody was given up
        if IS_LONG:
            took = wait_until(lambda: all(arrival.ended.is_set() for arrival in streams), patience=2 * GIVEN_UP)
            report("Readers that stopped reading", f"given up after {took:.0f} s")

    assert all(answer.is_complete for answer in answers)
    assert grown <= MOST_MEGABYTES
    answered = OTHERS * (2 * WAVES + 1)
    wait_until(lambda: UsageRecord.objects.count() == READERS + answered)
    assert all(arrival.ended.wait(5) for arrival in streams)
    left = UsageRecord.objects.filter(outcome=Outcome.CLIENT_LEFT, prompts=1)
    assert left.count() == READERS
    assert set(Allowance.objects.values_list("used", "held")) == {(READERS, 0), (answered, 0)}
    assert find_differences() == []
    report(
        f"{READERS} slow readers, {database.vendor}",
        f"the provider waits after {poured} MB, the server has {grown} more",
    )
    report(
        f"99 of 100 answers to {OTHERS} others, {database.vendor}",
        f"within {alone * 1000:.0f} ms, and {beside * 1000:.0f} ms beside {READERS} slow readers",
    )


def streams_of(offered: FakeUpstream) -> list[Arrival]:
    """Those that have no end of their own."""
    return [arrival for arrival in offered.calls() if arrival.model == "firehose"]


@contextmanager
def sipping(readers: Sequence[socket.socket]) -> Iterator[None]:
    """Each takes ten bytes, ten times a second."""
    is_over = threading.Event()

    def sip() -> None:
        while not is_over.wait(0.1):
            for reader in readers:
                reader.recv(10)

    thread = threading.Thread(target=sip)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def has_stopped(sent: list[int]) -> bool:
    """Whether the provider could hand over nothing for a second."""
    before = len(sent)
    time.sleep(1)
    return before == len(sent) > 0
