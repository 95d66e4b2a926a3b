"""`manage.py roll_up`."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from core import clock
from tests.usage.test_record_usage import record
from usage.models import RollupDay


def test_roll_up_writes_the_days_that_are_over(sara: User) -> None:
    record(sara, started_at=clock.now() - timedelta(days=2))
    out = StringIO()
    call_command("roll_up", "--json", stdout=out)
    days = json.loads(out.getvalue())
    assert days[0] == clock.local_day(clock.now() - timedelta(days=2)).isoformat()
    assert RollupDay.objects.filter(complete=True).count() == len(days)


def test_roll_up_writes_one_day_again(sara: User) -> None:
    record(sara, started_at=datetime(2026, 11, 2, tzinfo=UTC))
    call_command("roll_up", "--day", "2026-11-02", stdout=StringIO())
    assert RollupDay.objects.get().complete


def test_roll_up_refuses_what_is_not_a_day(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("roll_up", "--day", "yesterday")
