"""A database that is away, in every way there is: nothing is admitted, and everybody hears 503 (contract, C14, C40)."""

from collections.abc import Iterator

import pytest

from tests.faults.length import how_many, report
from tests.faults.outages import MUTE, OF_POSTGRES, Installation, installed

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("outages")) as installation:
        yield installation
        installation.manage("reconcile")


@pytest.mark.parametrize("outage", [outage for outage in OF_POSTGRES for _ in range(how_many(1, 20))])
def test_c14_c40_without_its_database_the_gateway_admits_nothing_and_says_so(it: Installation, outage: str) -> None:
    assert it.call().status == 200
    heard = len(it.upstream.calls())

    with OF_POSTGRES[outage](it):
        told = it.call_at_once(4)
        assert len(it.upstream.calls()) == heard
        assert (it.status_of("/healthz"), it.status_of("/readyz")) == (200, 503)
        if outage not in MUTE:
            assert {it.status_of(page) for page in ("/", "/api/me/")} <= {200, 302, 503}

    assert {(call.status, call.code) for call in told} == {(503, "unavailable")}, told
    assert all(call.retry_after for call in told)
    recovery = it.wait_until_served()
    report(f"PostgreSQL {outage}", f"503 within {max(c.seconds for c in told):.1f} s, served {recovery:.1f} s after")
    assert it.status_of("/readyz") == 200
    it.wait_until_quiet()
