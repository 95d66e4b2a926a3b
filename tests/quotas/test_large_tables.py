"""Whoever waits for a purse gets it, however large the table is and whatever PostgreSQL's plan (C02)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from django.db import connection, connections, transaction

from accounts.models import User
from core import clock
from quotas import services
from quotas.models import Allowance
from quotas.types import Period, Unit
from tests.quotas.conftest import reserve
from tests.servers import database_url

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(db: None) -> list[User]:
    """Some of so many people that PostgreSQL chooses the plans it has for large tables."""
    everyone = User.objects.bulk_create(User(email=f"p{n}@example.edu", name=f"P{n}") for n in range(2000))
    Allowance.objects.bulk_create(
        Allowance(user=person, unit=Unit.PROMPTS, period=Period.MONTH, window_start=clock.now()) for person in everyone
    )
    with connection.cursor() as cursor:
        cursor.execute("analyze quotas_allowance")
    return everyone[:12]


def behind(purse: Allowance, act: Callable[[], object]) -> None:
    """Have `act` wait for a purse that another transaction changes."""

    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as beside, psycopg.connect(database_url()) as other:
        other.execute("update quotas_allowance set held = held where id = %s", [purse.pk])
        waiting = beside.submit(run)
        while not (other.execute("select 1 from pg_locks where not granted").fetchone() or waiting.done()):
            time.sleep(0.01)
        other.commit()
        waiting.result()


def test_a_batch_reads_no_whole_table_whatever_is_known_of_it(people: list[User]) -> None:
    """Statistics come late in a new installation: until then PostgreSQL would read all entries for each batch."""

    def scans() -> list[tuple[str, int]]:
        with connection.cursor() as cursor:
            cursor.execute("select relname, seq_scan from pg_stat_xact_user_tables where relname like 'quotas_%'")
            return sorted(cursor.fetchall())

    services.set_quota(limit=9, scope="chat")
    with transaction.atomic():
        first = reserve(people[0]).call_id
        before = scans()

        services.dispatch(call_id=first)
        services.settle(call_id=first)
        services.reverse(call_id=first)

        assert scans() == before


def test_a_call_finds_the_purses_it_waited_for(people: list[User]) -> None:
    services.set_quota(limit=9, scope="chat")
    for user in people:
        reserve(user)
        for purse in Allowance.objects.filter(user=user, held=1):
            behind(purse, partial(reserve, user))
        assert list(Allowance.objects.filter(user=user).values_list("held", flat=True).order_by("held")) == [0, 3, 3]
