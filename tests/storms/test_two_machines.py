"""Two servers with a folder of their own each and one database: neither knows of the other but by what stands there."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from accounts.models import ApiKey, User
from accounts.services import revoke_api_key
from quotas.models import Allowance
from quotas.services import set_quota
from tests.books import check_books
from tests.fakes.upstream import FakeUpstream
from tests.faults.outages import wait_until
from tests.servers import Server, running_server
from tests.storms.clients import ask

CLIENTS, ALLOWANCE = 60, 20

pytestmark = pytest.mark.both_databases


def test_c02_c24_two_machines_share_the_last_prompts_and_what_was_revoked(
    offered: FakeUpstream, sara: User, saras_key: str, tmp_path: Path
) -> None:
    environment = {"OPENAI_BASE_URL": offered.base_url, "MAX_PARALLEL_CALLS": "0", "MAX_ATTEMPTS_PER_HOUR": "0"}
    set_quota(limit=ALLOWANCE)
    with (
        running_server(tmp_path / "one", environment=environment) as one,
        running_server(tmp_path / "other", environment=environment) as other,
    ):
        assert asyncio.run(race([one, other], saras_key)) == {200: ALLOWANCE, 429: CLIENTS - ALLOWANCE}
        assert Allowance.objects.values_list("used", "held").get() == (ALLOWANCE, 0)
        assert len(offered.calls()) == ALLOWANCE

        revoke_api_key(user_id=sara.pk, key_id=ApiKey.objects.get().pk)
        for server in (one, other):
            wait_until(partial(is_refused, server, saras_key), patience=2)
    check_books()


def is_refused(server: Server, key: str) -> bool:
    return asyncio.run(ask(server, key, "good")).status == 401


async def race(servers: list[Server], key: str) -> Counter[int]:
    barrier = asyncio.Barrier(CLIENTS)
    asking = [ask(servers[number % len(servers)], key, "good", barrier=barrier) for number in range(CLIENTS)]
    return Counter(answer.status for answer in await asyncio.gather(*asking))
