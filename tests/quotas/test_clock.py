"""The database's clock decides, not the worker's: an hour or a month of difference changes nothing (contract, C21)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from accounts.models import User
from core import clock
from quotas.models import Allowance, Reservation
from quotas.services import expire_reservations
from quotas.types import Period
from quotas.windows import window_of
from tests.quotas.conftest import reserve

pytestmark = pytest.mark.postgres

JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=31), timedelta(days=-31)]


def ask_database() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at.astimezone(UTC)


@pytest.fixture(params=JUMPS, ids=str)
def jumped(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    """The worker's clock is wrong, and nothing is known of an earlier time."""
    with time_machine.travel(datetime.now(UTC) + request.param), pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "_agreed", None)
        clock.agree(connection)
        yield


def test_c21_a_worker_reads_the_databases_clock_whatever_its_own_says(jumped: None) -> None:
    assert abs(clock.now() - ask_database()) < timedelta(seconds=5)


def test_c21_a_jump_while_a_worker_runs_changes_nothing(db: None) -> None:
    clock.agree(connection)
    for jump in JUMPS:
        with time_machine.travel(datetime.now(UTC) + jump):
            assert abs(clock.now() - ask_database()) < timedelta(seconds=5)


def test_c21_a_call_belongs_to_the_databases_month_and_keeps_its_lease(jumped: None, sara: User) -> None:
    call_id = reserve(sara).call_id

    window = window_of(Period.MONTH, ask_database())
    assert Allowance.objects.get().window_start == window.starts_at
    lease = Reservation.objects.get(pk=call_id).lease_until - ask_database()
    assert timedelta(0) < lease <= timedelta(minutes=2)
    assert expire_reservations() == []
