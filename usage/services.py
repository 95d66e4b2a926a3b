"""Writes what happened: one row per call, once, and the totals of a day that is over."""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts.types import Principal
from core import clock
from core.types import Operation, Via
from usage.models import DailyRollup, RollupDay, UsageRecord
from usage.selectors import list_days_to_roll_up, total_records
from usage.types import Outcome, Totals

# A day is rolled up this long after its end: every transaction that took it for today is over by then.
SETTLING_TIME = timedelta(hours=1)


@transaction.atomic(savepoint=False)
def record_usage(
    *,
    call_id: UUID,
    principal: Principal,
    course_id: int | None,
    via: Via,
    operation: Operation,
    model: str,
    provider: str,
    outcome: Outcome,
    code: str = "",
    prompts: int = 0,
    totals: Totals = Totals(),  # noqa: B008 (frozen)
    cost_micro: int = 0,
    started_at: datetime,
    first_content_at: datetime | None = None,
) -> None:
    """Insert the record of one call; a second one for the same call is left out.

    Args:
        course_id: the course the call was made in, if any.
        code: the error's code when the outcome is not `served`.
        prompts: what it cost the person in the end.
        cost_micro: in micro-units of the installation's currency.
        started_at: the admission instant; the record belongs to this day.
    """
    record = UsageRecord(
        call_id=call_id,
        user_id=principal.user_id,
        role=principal.role,
        department_id=principal.department_id,
        course_id=course_id,
        key_id=principal.key_id,
        via=via,
        operation=operation,
        model=model,
        provider=provider,
        outcome=outcome,
        code=code,
        prompts=prompts,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        images=totals.images,
        usage_source=totals.source,
        cost_micro=cost_micro,
        started_at=started_at,
        first_content_at=first_content_at,
    )
    UsageRecord.objects.bulk_create([record], ignore_conflicts=True)
    day = clock.local_day(started_at)
    if day < clock.local_day(clock.now()):
        _reopen_day(day)


def _reopen_day(day: date) -> None:
    """A late record: its day must be rolled up anew, and is read from the records until then."""
    RollupDay.objects.bulk_create(
        [RollupDay(day=day, complete=False)],
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["complete"],
    )


@transaction.atomic(savepoint=False)
def roll_up_day(day: date) -> int:
    """Write the totals of `day` anew from its records. Returns how many rows they make.

    The day counts as complete, and reports read it from here, once it is over for an hour.
    """
    _reopen_day(day)  # takes the day's row: a late record waits here, and is counted or reopens the day after us
    DailyRollup.objects.filter(day=day).delete()
    rows = [DailyRollup(day=day, **total) for total in total_records(day)]
    DailyRollup.objects.bulk_create(rows, batch_size=500)
    over_at = clock.start_of(day + timedelta(days=1)) + SETTLING_TIME
    RollupDay.objects.filter(day=day).update(complete=clock.now() >= over_at)
    return len(rows)


def roll_up() -> list[date]:
    """Roll up every day that is over and not complete yet, the oldest first; makes up for any time of standstill."""
    days = list_days_to_roll_up(until=clock.local_day(clock.now() - SETTLING_TIME))
    for day in days:
        roll_up_day(day)
    return days
