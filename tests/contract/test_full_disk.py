"""A disk without room: no call without its durable row, and service again when there is room (contract, C15)."""

import resource
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from quotas.models import Allowance
from quotas.selectors import find_differences
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.faults.outages import BODY, wait_until
from tests.servers import Server, running_server
from usage.models import UsageRecord

TIMES = how_many(2, 10)

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's fills in test_database_outages.py")


def test_c15_a_full_disk_admits_nothing_and_forgets_nothing(
    offered: FakeUpstream, saras_key: str, tmp_path: Path
) -> None:
    """No file may grow past what it is: for a program that is a disk without room."""
    environment = {"OPENAI_BASE_URL": offered.base_url, "MAX_ATTEMPTS_PER_HOUR": "0"}
    with running_server(tmp_path, environment=environment) as server, open_client(server, saras_key) as web:
        for number in range(1, TIMES + 1):
            assert status_of(web) == 200
            heard = len(offered.calls())

            limit_files(server, 1024)
            refused = [web.post("/chat/completions", json=BODY) for _ in range(3)]
            limit_files(server, resource.RLIM_INFINITY)

            assert {answer.status_code for answer in refused} == {503}
            assert all(answer.headers["retry-after"] for answer in refused)
            assert len(offered.calls()) == heard
            wait_until(lambda: status_of(web) == 200)
            assert Allowance.objects.values_list("used", "held").get() == (2 * number, 0)
            assert UsageRecord.objects.filter(outcome="served").count() == 2 * number
        assert find_differences() == []
    report("Disk full, sqlite", f"{TIMES} times 503, nothing upstream, served again")


def limit_files(server: Server, size: int) -> None:
    """What the server writes past `size` bytes of a file fails."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def open_client(server: Server, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=server.api, headers={"authorization": f"Bearer {key}"}, timeout=20)


def status_of(web: httpx2.Client) -> int:
    return web.post("/chat/completions", json=BODY).status_code
