"""One record per call, written once."""

from datetime import UTC, datetime

import pytest

from accounts.models import User
from accounts.types import Principal, Role
from core.append_only import AppendOnlyError
from core.ids import new_id
from core.types import Operation, Via
from usage.models import UsageRecord
from usage.services import record_usage
from usage.types import Outcome, Totals, UsageSource

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def record(user: User, **changes: object) -> None:
    call = {
        "call_id": new_id(),
        "principal": Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id),
        "course_id": None,
        "via": Via.WEB,
        "operation": Operation.CHAT,
        "model": "smollm2",
        "provider": "local",
        "outcome": Outcome.SERVED,
        "prompts": 1,
        "totals": Totals(input_tokens=12, output_tokens=34, source=UsageSource.REPORTED),
        "started_at": AT,
    }
    record_usage(**(call | changes))  # type: ignore[arg-type]


def test_a_record_tells_who_asked_what_and_how_it_ended(sara: User) -> None:
    record(sara)
    row = UsageRecord.objects.get()
    assert (row.user, row.role, row.department) == (sara, Role.STUDENT, sara.department)
    assert (row.outcome, row.prompts, row.input_tokens, row.output_tokens) == (Outcome.SERVED, 1, 12, 34)
    assert row.started_at == AT < row.ended_at


def test_a_second_record_of_the_same_call_is_left_out(sara: User) -> None:
    call_id = new_id()
    record(sara, call_id=call_id)
    record(sara, call_id=call_id, outcome=Outcome.LOST, prompts=0)
    assert UsageRecord.objects.get().outcome == Outcome.SERVED


@pytest.mark.parametrize("nonsense", [-1, 10**30])
def test_nonsense_from_a_provider_is_nobodys_count(sara: User, nonsense: int) -> None:
    record(sara, totals=Totals(input_tokens=nonsense, output_tokens=5, source=UsageSource.REPORTED))
    row = UsageRecord.objects.get()
    assert (row.input_tokens, row.output_tokens) == (None, 5)


def test_a_record_is_never_changed(sara: User) -> None:
    record(sara)
    with pytest.raises(AppendOnlyError):
        UsageRecord.objects.get().save()
    with pytest.raises(AppendOnlyError):
        UsageRecord.objects.all().delete()
