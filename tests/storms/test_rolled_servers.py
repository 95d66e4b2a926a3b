"""Servers that are asked to end, one after another, while everybody calls (contract, C18): as on every deployment."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Sum

from accounts.services import create_api_key
from quotas.models import Allowance, Reservation
from quotas.services import set_quota
from tests.books import check_books
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.faults.outages import wait_until
from tests.servers import Server, running_server
from tests.storms.test_killed_servers import FORKING, list_processes, make_people, storm, wait_for_the_sweep
from usage.models import UsageRecord
from usage.types import Outcome

WORKERS = 4
ROLLS = how_many(2, 20)

pytestmark = pytest.mark.both_databases


def test_c18_a_roll_of_four_workers_under_load_loses_no_row_and_charges_nobody_wrongly(
    offered: FakeUpstream, tmp_path: Path
) -> None:
    environment = {"OPENAI_BASE_URL": offered.base_url, "MAX_PARALLEL_CALLS": "0", "MAX_ATTEMPTS_PER_HOUR": "0"}
    set_quota(limit=100_000)
    keys = [create_api_key(user_id=person.id, name="storm")[1] for person in make_people()]

    with running_server(tmp_path, workers=WORKERS, environment=environment, command=FORKING) as server:
        answers = asyncio.run(storm(server, keys, strikes=ROLLS, strike=roll))
        wait_for_the_sweep()

    records = {str(row.call_id): row for row in UsageRecord.objects.all()}
    assert records.keys() == {str(call_id) for call_id in Reservation.objects.values_list("pk", flat=True)}
    begun = [answer for answer in answers if answer.status == 200]
    assert [answer for answer in begun if not answer.is_complete] == []  # what runs is finished
    assert {(records[answer.request_id].outcome, records[answer.request_id].prompts) for answer in begun} == {
        (Outcome.SERVED, 1)
    }
    assert {answer.status for answer in answers} <= {200, 503, 0}  # a line that nobody took, or a server that ends
    assert len(begun) > ROLLS * WORKERS
    used = sum(record.prompts for record in records.values())
    assert Allowance.objects.aggregate(used=Sum("used"), held=Sum("held")) == {"used": used, "held": 0}
    check_books()
    report(f"{ROLLS} rolls of {WORKERS} workers, {connection.vendor}", f"{len(begun)} answers, each whole")


async def roll(server: Server) -> None:
    """Each worker in turn is asked to end, and the next when another stands in its place."""
    for worker in list_processes(server):
        os.kill(worker, signal.SIGTERM)
        await asyncio.to_thread(wait_until, partial(is_replaced, server, worker))


def is_replaced(server: Server, worker: int) -> bool:
    serving = list_processes(server)
    return worker not in serving and len(serving) == WORKERS
