"""Providers that never come to an end, and the deadlines that end them (contract, C11)."""

import asyncio
import time

from quotas.services import set_quota
from tests.contract.test_faulty_providers import faulty, patient_server
from tests.fakes.upstream import FakeUpstream
from tests.faults import table
from tests.faults.length import report
from tests.servers import Server
from tests.storms.clients import Received, ask

__all__ = ["faulty", "patient_server"]  # fixtures

_NAMES = ("FIRST_BYTE_SECONDS", "BETWEEN_SECONDS", "TOTAL_SECONDS")
FIRST, BETWEEN, TOTAL = (int(table.DEADLINES[f"UPSTREAM_{name}"]) for name in _NAMES)
DEADLINES = {
    "silent": FIRST,
    "headers-then-silent": FIRST,
    "headers-never-end": FIRST,
    "drips-bytes": FIRST,
    "role-for-ever": FIRST,
    "stalls": BETWEEN,
    "talks-for-ever": TOTAL,
}
LATE = 10  # seconds: how late a crowded machine may be; the report of the long form says how late it was


def test_c11_who_never_ends_is_left_at_its_deadline_and_not_before(
    patient_server: Server, faulty: FakeUpstream
) -> None:
    set_quota(limit=100)
    keys = table.make_keys(len(DEADLINES))

    told = asyncio.run(ask_all(patient_server, keys))

    for (model, deadline), (answer, took) in zip(DEADLINES.items(), told, strict=True):
        assert '"code":"upstream_timeout"' in answer.text, (model, answer)
        assert deadline <= took < deadline + LATE, (model, took)
        report(f"{model}, {deadline} s", f"ended after {took:.2f} s")
    assert all(arrival.left.wait(5) for arrival in faulty.calls())


async def ask_all(server: Server, keys: list[str]) -> list[tuple[Received, float]]:
    async def ask_one(model: str, key: str) -> tuple[Received, float]:
        began = time.monotonic()
        return await ask(server, key, model), time.monotonic() - began

    return await asyncio.gather(*(ask_one(model, key) for model, key in zip(DEADLINES, keys, strict=True)))
