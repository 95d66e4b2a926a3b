"""Writes what happened: one row per call, once, and the totals of a day that is over."""

from array import array
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from operator import add, sub
from typing import Any, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import F

from audit.services import record
from core import clock, rows
from core.locks import lock
from core.text import one_line
from usage.models import DailyGroup, DailyRollup, DailyTotal, Opening, Reading, RollupDay, UsageRecord
from usage.selectors import list_days_to_roll_up, total_groups, total_people, total_records, total_rollups
from usage.tables import Column, add_rows, combine, pack, unpack
from usage.types import MEASURES, SETTLING_TIME, LookReason, Record, Recording

# As `_row_of` fills them.
_PERSON = ("user", "role", "department", "course", "key")
_CALL = ("via", "operation", "model", "provider", "outcome", "code", "prompts")
_TOTALS = ("input_tokens", "output_tokens", "images", "usage_source", "cost_micro")
_COLUMNS = ("call_id", *_PERSON, *_CALL, *_TOTALS, "started_at", "first_content_at", "ended_at")
LOOK_LASTS = timedelta(hours=1)  # then a new reason is asked for


def record_usage(**call: Unpack[Recording]) -> None:
    """Insert the record of one call; see `Record`."""
    record_many([Record(**call)])


@transaction.atomic
def record_opening(
    *,
    viewer_id: int,
    owner_id: int,
    course_id: int,
    conversation_id: UUID,
    reason: LookReason | str,
    note: str,
) -> Opening:
    """Write down that a teacher opens a student's chat now; it may be read for LOOK_LASTS.

    Whether they may at all is decided before (chat.selectors.access_course_chat).

    Args:
        note: the reason in the teacher's own words; the student reads it.

    Raises:
        ValidationError: by field: there is no such reason, or no words.
    """
    at = clock.now()
    opening = Opening(
        viewer_id=viewer_id,
        owner_id=owner_id,
        course_id=course_id,
        conversation_id=conversation_id,
        reason=reason,
        note=one_line(note, longest=500),
        at=at,
        until=at + LOOK_LASTS,
    )
    opening.full_clean()
    opening.save()
    record(
        "chat.open",
        subject=f"conversation/{conversation_id}",
        name=opening.course.code,
        changes={"owner": [None, opening.owner.email], "why": [None, opening.reason]},
        reason=opening.note,
    )
    return opening


@transaction.atomic(savepoint=False)
def record_many(records: Collection[Record]) -> None:
    """Insert the records of many calls at once; a second one for the same call is left out."""
    at = clock.now()
    rows.insert(UsageRecord, _COLUMNS, [_row_of(record, at) for record in records], ignore_conflicts=True)
    today = clock.start_of(clock.local_day(at))
    _reopen_days({clock.local_day(record.started_at) for record in records if record.started_at < today})


def _row_of(record: Record, at: datetime) -> tuple[Any, ...]:
    person, totals = record.principal, record.totals
    # `_value_`: on Python 3.11 an enumeration's `value` is two functions and a lookup, and every call comes by here.
    return (
        record.call_id,
        person.user_id,
        person.role._value_,
        person.department_id,
        record.course_id,
        person.key_id,
        record.via._value_,
        record.operation._value_,
        record.model,
        record.provider,
        record.outcome._value_,
        record.code,
        record.prompts,
        totals.input_tokens,
        totals.output_tokens,
        totals.images,
        totals.source._value_,
        record.cost_micro,
        record.started_at,
        record.first_content_at,
        at,
    )


def _reopen_days(days: Collection[date]) -> None:
    """Late records: their days must be rolled up anew, and are read from the records until then."""
    if days:
        RollupDay.objects.bulk_create(
            [RollupDay(day=day, complete=False) for day in sorted(days)],
            update_conflicts=True,
            unique_fields=["day"],
            update_fields=["complete"],
        )


@transaction.atomic(savepoint=False)
def roll_up_day(day: date) -> int:
    """Write the totals of `day` anew from its records. Returns how many rows they make.

    The day counts as complete, and reports read it from here, once it is over for an hour.
    """
    lock("usage_reading")  # one moves them at a time, and takes this before any day's row
    _reopen_days([day])  # takes the day's row: a late record waits here, and is counted or reopens the day after us
    before = [array("q") for _ in MEASURES]
    add_rows(before, total_people(day))
    DailyRollup.objects.filter(day=day).delete()
    totals = [DailyRollup(day=day, **total) for total in total_records(day)]
    DailyRollup.objects.bulk_create(totals, batch_size=500)
    DailyTotal.objects.filter(day=day).delete()
    DailyTotal.objects.bulk_create([DailyTotal(day=day, **total) for total in total_rollups(day)], batch_size=500)
    DailyGroup.objects.filter(day=day).delete()
    DailyGroup.objects.bulk_create([DailyGroup(day=day, **total) for total in total_groups(day)], batch_size=500)
    _move_readings(day, before)
    over_at = clock.start_of(day + timedelta(days=1)) + SETTLING_TIME
    RollupDay.objects.filter(day=day).update(complete=clock.now() >= over_at, writings=F("writings") + 1)
    return len(totals)


def _move_readings(day: date, before: Sequence[Column]) -> None:
    """Let the readings from this day on hold its rollups, which were `before` until now."""
    now = [array("q") for _ in MEASURES]
    add_rows(now, total_people(day))
    for measure, held, holds in zip(MEASURES, before, now, strict=True):
        readings = Reading.objects.filter(measure=measure)
        if not readings.filter(day=day).exists():
            last = readings.filter(day__lt=day).order_by("-day").first()
            Reading.objects.create(measure=measure, day=day, column=last.column if last else pack(array("q")))
        for reading in readings.filter(day__gte=day) if holds != held else ():
            reading.column = pack(combine(sub, combine(add, unpack(reading.column), holds), held))
            reading.save(update_fields=["column"])


def roll_up() -> list[date]:
    """Roll up every day that is over and not complete yet, the oldest first; makes up for any time of standstill."""
    days = list_days_to_roll_up(until=clock.local_day(clock.now() - SETTLING_TIME))
    for day in days:
        roll_up_day(day)
    return days
