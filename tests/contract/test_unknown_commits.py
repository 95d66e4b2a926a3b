"""A line to the database that breaks just after COMMIT: nobody knows, and the books are right (contract, C14)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from tests.faults.length import how_many, report
from tests.faults.outages import Installation, installed, wait_until

pytestmark = pytest.mark.postgres

TIMES = how_many(3, 50)


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("unknown")) as installation:
        yield installation
        installation.manage("reconcile")


def test_c14_an_admission_nobody_heard_of_never_goes_upstream_and_is_given_back(it: Installation) -> None:
    for _ in range(TIMES):
        it.wait_until_served()
        heard, used = len(it.upstream.calls()), used_in(it)

        with unheard_commits(it):
            told = it.call()
            assert (told.status, told.code) == (503, "unavailable")
            assert len(it.upstream.calls()) == heard

        it.wait_until_quiet()
        assert used_in(it) == used
    report("PostgreSQL reset in COMMIT, admission", f"{TIMES} times 503, nothing upstream, nothing charged")


def test_c14_an_ending_nobody_heard_of_is_written_once(it: Installation) -> None:
    for _ in range(TIMES):
        it.wait_until_served()
        it.wait_until_quiet()
        used, records = used_in(it), records_in(it)

        with ThreadPoolExecutor() as beside:
            call = beside.submit(it.call, "slow")
            wait_until(lambda: it.upstream.calls()[-1].model == "slow")
            with unheard_commits(it):
                wait_until(it.upstream.calls()[-1].ended.is_set)
                wait_until(partial(has_more_records, it, records))
        it.wait_until_quiet()

        assert call.result().status == 200
        assert (used_in(it), records_in(it)) == (used + 1, records + 1)
    report("PostgreSQL reset in COMMIT, conclusion", f"{TIMES} times one record and one prompt")


@contextmanager
def unheard_commits(it: Installation) -> Iterator[None]:
    """Every COMMIT arrives at the database, and no answer to one comes back."""
    it.proxy.last_words = b"COMMIT"
    try:
        yield
    finally:
        it.proxy.heal()


def used_in(it: Installation) -> int:
    return int(str(it.postgres.query("SELECT coalesce(sum(used), 0) FROM quotas_allowance")[0][0]))


def records_in(it: Installation) -> int:
    return int(str(it.postgres.query("SELECT count(*) FROM usage_usagerecord WHERE outcome = 'served'")[0][0]))


def has_more_records(it: Installation, records: int) -> bool:
    return records_in(it) > records
