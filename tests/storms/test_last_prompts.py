"""200 clients on an allowance of 20: exactly 20 are served (contract, C02)."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance
from tests.books import check_books
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.servers import Server, running_server
from tests.storms.clients import Received, ask
from usage.models import UsageRecord

ROUNDS = how_many(20, 100)
ROUNDS_ALONE = how_many(3, 50)  # one process races its own threads only
CLIENTS = 200
ALLOWANCE = 20

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("workers", [1, 2] if connection.vendor == "sqlite" else [4])
def test_c02_c22_no_more_and_no_less_than_the_allowance_is_served(
    offered: FakeUpstream, running_upstream: FakeUpstream, tmp_path: Path, workers: int
) -> None:
    environment = {
        "OPENAI_BASE_URL": running_upstream.base_url,
        "MAX_PARALLEL_CALLS": "0",
        "MAX_ATTEMPTS_PER_HOUR": "0",
    }
    with running_server(tmp_path, workers=workers, environment=environment) as server:
        for number in range(ROUNDS if workers > 1 else ROUNDS_ALONE):
            person = User.objects.create_user(f"racer{number}@example.edu", name="Racer")
            _, key = create_api_key(user_id=person.id, name="race")
            offered.arrivals.clear()

            answers = asyncio.run(race(server, key))

            assert Counter(answer.status for answer in answers) == {200: ALLOWANCE, 429: CLIENTS - ALLOWANCE}
            assert sum(answer.is_complete for answer in answers) == ALLOWANCE
            assert all('"insufficient_quota"' in answer.text for answer in answers if answer.status == 429)
            left = sorted(left_in(answer) for answer in answers if answer.status == 200)
            assert left == list(range(ALLOWANCE))  # no two were told the same (C22)
            assert len(offered.calls()) == ALLOWANCE
            assert all(arrival.is_durable for arrival in offered.calls())
            counters = Allowance.objects.get(user=person)
            assert (counters.used, counters.held) == (ALLOWANCE, 0)
            outcomes = Counter(UsageRecord.objects.filter(user=person).values_list("outcome", flat=True))
            assert outcomes == {"served": ALLOWANCE, "refused": CLIENTS - ALLOWANCE}
    check_books()
    report(f"200 racers for 20 prompts, {workers} workers, {connection.vendor}", "always 20 served, 180 refused")


async def race(server: Server, key: str) -> list[Received]:
    barrier = asyncio.Barrier(CLIENTS)
    return await asyncio.gather(*(ask(server, key, "good", barrier=barrier) for _ in range(CLIENTS)))


def left_in(answer: Received) -> int:
    return int(answer.text.partition("x-ratelimit-remaining-prompts: ")[2].split("\r\n", 1)[0])
