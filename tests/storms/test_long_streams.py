"""A stream that lives much longer than its lease is nobody's to sweep (contract, C07)."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from accounts.models import User
from core import clock
from gateway.admission import sweep
from quotas.models import Allowance, Reservation
from quotas.types import State
from tests.books import check_books
from tests.fakes.upstream import FakeUpstream, dripping_until
from tests.faults.length import how_many, report
from tests.faults.outages import wait_until
from tests.quotas.conftest import reserve
from tests.servers import running_server
from tests.storms.clients import ask
from usage.models import UsageRecord
from usage.types import Outcome

LEASE, LEASES = how_many(4, 60), how_many(4, 10)  # seconds; it is renewed three times in each

pytestmark = pytest.mark.both_databases


def test_c07_a_stream_that_drips_through_many_leases_is_never_swept(
    offered: FakeUpstream, monkeypatch: pytest.MonkeyPatch, sara: User, saras_key: str, tmp_path: Path
) -> None:
    """The server sweeps, and so do we, all the time: whatever nobody renews is swept, once a lease."""
    is_over = threading.Event()
    monkeypatch.setattr(offered, "behaviors", {**offered.behaviors, "slow": dripping_until(is_over)})
    environment = {
        "OPENAI_BASE_URL": offered.base_url,
        "LEASE_SECONDS": str(LEASE),
        "SWEEP_SECONDS": "1",
        "UPSTREAM_TOTAL_SECONDS": "3600",
    }
    with running_server(tmp_path, environment=environment) as server, ThreadPoolExecutor() as beside:
        dripping = beside.submit(asyncio.run, ask(server, saras_key, "slow"))
        try:
            wait_until(Reservation.objects.filter(state=State.SETTLED).exists)
            for _ in range(LEASES):
                wait_until_swept(abandon_call_of(sara))
            assert Reservation.objects.get(state=State.SETTLED).lease_until > clock.now()
        finally:
            is_over.set()
        answer = dripping.result()

    assert answer.is_complete
    assert set(UsageRecord.objects.values_list("outcome", "prompts")) == {(Outcome.SERVED, 1), (Outcome.LOST, 0)}
    assert UsageRecord.objects.filter(call_id=answer.request_id).count() == 1
    assert Allowance.objects.values_list("used", "held").get() == (1, 0)
    check_books()
    report(f"A stream of {LEASES} leases of {LEASE} s, {connection.vendor}", f"charged once, {LEASES} others swept")


def abandon_call_of(person: User) -> Reservation:
    """A call whose process died as soon as it had held its prompt."""
    call = Reservation.objects.get(pk=reserve(person).call_id)
    call.lease_until = clock.now() + timedelta(seconds=LEASE)
    call.save()
    return call


def wait_until_swept(call: Reservation) -> None:
    """Somebody has ended it: we or the server."""

    def is_swept() -> bool:
        sweep()
        return Reservation.objects.get(pk=call.pk).state == State.RELEASED

    wait_until(is_swept, patience=2 * LEASE + 30)
