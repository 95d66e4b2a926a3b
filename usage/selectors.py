"""Reads of what happened. Sums come from the daily rollups where a day is complete, and from the records elsewhere,
so that every number is exact at every moment, with or without a worker that rolls up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Aggregate, Count, Min, Model, Q, QuerySet, Sum, TextChoices
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Department, User
from accounts.types import Principal, Role
from core import clock
from core.types import Operation, Via
from courses.models import Course
from usage.models import DailyRollup, DailyTotal, Opening, RollupDay, UsageRecord
from usage.types import Group, Outcome, Summary, UsageFilters

_NAMED: dict[str, type[Model]] = {"user": User, "department": Department, "course": Course}
_WORDED: dict[str, type[TextChoices]] = {"role": Role, "via": Via, "operation": Operation, "outcome": Outcome}
Rows = Iterable[dict[str, Any]]
_DAY = timedelta(days=1)
_MEASURES = ("calls", "prompts", "input_tokens", "output_tokens", "images", "cost_micro")
_FIELDS = ("user_id", "role", "department_id", "course_id", "via", "operation", "model", "outcome")


def list_openings_of(owner_id: int) -> QuerySet[Opening]:
    """Every time someone opened a chat of this person, the newest first."""
    return Opening.objects.filter(owner=owner_id).select_related("viewer", "course").order_by("-at", "-id")


def list_openings_in(course_id: int) -> QuerySet[Opening]:
    """Every time a chat of this course was opened, the newest first."""
    return Opening.objects.filter(course=course_id).select_related("viewer", "owner").order_by("-at", "-id")


def find_opening(*, viewer_id: int, conversation_id: UUID) -> Opening | None:
    """The teacher's last opening of this chat, if its time has not run out."""
    mine = Opening.objects.filter(viewer=viewer_id, conversation_id=conversation_id, until__gt=clock.now())
    return mine.order_by("-at", "-id").first()


def count_recent_calls(*, since: datetime) -> dict[str, tuple[int, int]]:
    """By the short name of a provider: calls that ended since then, and how many of them the provider failed."""
    recent = UsageRecord.objects.filter(started_at__gte=since).exclude(provider="").order_by()
    failed = Count("pk", filter=Q(outcome=Outcome.UPSTREAM_FAILED))
    rows = recent.values("provider").annotate(calls=Count("pk"), failed=failed)
    return {row["provider"]: (row["calls"], row["failed"]) for row in rows}


def list_records(filters: UsageFilters) -> QuerySet[UsageRecord]:
    """The records that match, the newest first."""
    records = UsageRecord.objects.filter(**_equal(filters))
    if filters.first_day is not None:
        records = records.filter(started_at__gte=clock.start_of(filters.first_day))
    if filters.last_day is not None:
        records = records.filter(started_at__lt=clock.start_of(filters.last_day + _DAY))
    return records.select_related("user", "department", "course", "key").order_by("-started_at", "-id")


def list_visible_records(principal: Principal, filters: UsageFilters) -> QuerySet[UsageRecord]:
    """The matching records this person may read: everyone's for administrators, else their own."""
    records = list_records(filters)
    return records if principal.role == Role.ADMIN else records.filter(user=principal.user_id)


def page_records(filters: UsageFilters, *, after: int | None, limit: int) -> list[UsageRecord]:
    """At most `limit` matching records that come after the record with the id `after`, the newest first.

    By key, not by offset: a page costs the same wherever it lies, and stays right while records arrive.
    """
    records = list_records(filters)
    if after is not None:
        last = UsageRecord.objects.filter(pk=after).values_list("started_at", "pk").first()
        if last is None:
            return []
        started_at, pk = last
        records = records.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, pk__lt=pk))
    return list(records[:limit])


def summarize(filters: UsageFilters, *, by: Sequence[Group] = ()) -> list[Summary]:
    """Totals of the usage that matches, grouped, and sorted by the groups' values.

    Source: `DailyRollup` for the days that are complete; `UsageRecord` for all others, today always among them.

    Args:
        by: what to group by, in this order; a key holds ids for user, department and course, and the first day for
            week and month. Nothing means one row of totals.
    """
    spans = _spans(_complete_days(filters))
    fields = list(dict.fromkeys(_field_of(group) for group in by))
    groups: dict[tuple[Any, ...], Summary] = {} if by else {(): Summary()}
    for row in (*_sum_rollups(filters, fields, spans), *_sum_records(filters, fields, spans)):
        key = tuple(_value_of(group, row) for group in by)
        total = groups.setdefault(key, Summary(key=key))
        for measure in _MEASURES:
            setattr(total, measure, getattr(total, measure) + row[f"total_{measure}"])
    return [groups[key] for key in sorted(groups, key=lambda key: [(value is None, value) for value in key])]


def count_people(filters: UsageFilters) -> int:
    """How many different people made the calls that match; counted by the database."""
    spans = _spans(_complete_days(filters))
    rolled_up = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by().values("user_id")
    recorded = _records_outside(filters, spans).values("user_id")
    return rolled_up.distinct().union(recorded.distinct()).count()  # Django drops a union with what is surely empty


def label_keys(group: Group, totals: Sequence[Summary]) -> dict[Any, str]:
    """How people read the values of a group: names for ids, words for codes, dates as they are written."""
    keys = [total.key[0] for total in totals]
    if group in _NAMED:
        named = {
            pk: str(row) for pk, row in _NAMED[group]._default_manager.in_bulk([key for key in keys if key]).items()
        }
        return {key: named.get(key, _("none")) for key in keys}
    if group in _WORDED:
        return {key: str(_WORDED[group](key).label) for key in keys}
    if group == "model":
        return {key: key for key in keys}
    return {key: date_format(key, "YEAR_MONTH_FORMAT" if group == "month" else "DATE_FORMAT") for key in keys}


def total_records(day: date) -> list[dict[str, Any]]:
    """The totals of a day's records, one row for each combination a `DailyRollup` tells apart."""
    records = list_records(UsageFilters(first_day=day, last_day=day)).select_related(None).order_by()
    rows = _group(records, _FIELDS, calls=Count("id"))
    return [{name.removeprefix("total_"): value for name, value in row.items()} for row in rows]


def total_rollups(day: date) -> list[dict[str, Any]]:
    """The totals of a day's rollups, one row for each combination a `DailyTotal` tells apart."""
    fields = [field for field in _FIELDS if field not in ("user_id", "course_id")]
    rows = _group(DailyRollup.objects.filter(day=day).order_by(), fields, calls=Sum("calls"))
    return [{name.removeprefix("total_"): value for name, value in row.items()} for row in rows]


def list_days_to_roll_up(*, until: date) -> list[date]:
    """The days before `until` since the first record that are not complete, the oldest first."""
    first = UsageRecord.objects.aggregate(first=Min("started_at"))["first"]
    if first is None:
        return []
    complete = set(RollupDay.objects.filter(complete=True).values_list("day", flat=True))
    begin = clock.local_day(first)
    days = (begin + n * _DAY for n in range((until - begin).days))
    return [day for day in days if day not in complete]


# ---- inside ----------------------------------------------------------------------------------------------------------


def _equal(filters: UsageFilters) -> dict[str, Any]:
    return {name: value for name in _FIELDS if (value := getattr(filters, name)) not in (None, "")}


def _field_of(group: Group) -> str:
    if group in ("day", "week", "month"):
        return "day"
    return f"{group}_id" if group in ("user", "department", "course") else group


def _value_of(group: Group, row: Mapping[str, Any]) -> Any:
    value = row[_field_of(group)]
    match group:
        case "week":
            return value - value.weekday() * _DAY
        case "month":
            return value.replace(day=1)
        case _:
            return value


def _complete_days(filters: UsageFilters) -> QuerySet[RollupDay, date]:
    days = RollupDay.objects.filter(complete=True)
    if filters.first_day is not None:
        days = days.filter(day__gte=filters.first_day)
    if filters.last_day is not None:
        days = days.filter(day__lte=filters.last_day)
    return days.order_by("day").values_list("day", flat=True)


def _spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Ascending days as spans from a first to a last day."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and spans[-1][1] + _DAY == day:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _sum_rollups(filters: UsageFilters, fields: Sequence[str], spans: Sequence[tuple[date, date]]) -> Rows:
    named = {*fields, *_equal(filters)}
    totals: type[DailyRollup] | type[DailyTotal] = DailyRollup if named & {"user_id", "course_id"} else DailyTotal
    rows: QuerySet[Any] = totals._default_manager.filter(_inside(spans), **_equal(filters))
    return _group(rows.order_by(), fields, calls=Sum("calls"))


def _sum_records(filters: UsageFilters, fields: Sequence[str], spans: Sequence[tuple[date, date]]) -> Rows:
    records = _records_outside(filters, spans)
    if "day" in fields:
        records = records.annotate(day=TruncDate("started_at", tzinfo=timezone.get_default_timezone()))
    return _group(records, fields, calls=Count("id"))


def _inside(spans: Sequence[tuple[date, date]]) -> Q:
    inside = Q(pk__in=[])
    for first, last in spans:
        inside |= Q(day__gte=first, day__lte=last)
    return inside


def _records_outside(filters: UsageFilters, spans: Sequence[tuple[date, date]]) -> QuerySet[UsageRecord]:
    # The gaps between the spans, written as ranges so that the index on time serves them.
    begins = [None, *(clock.start_of(last + _DAY) for _, last in spans)]
    ends = [*(clock.start_of(first) for first, _ in spans), None]
    outside = Q(pk__in=[])
    for begin, end in zip(begins, ends, strict=True):
        after = Q(started_at__gte=begin) if begin else Q(started_at__isnull=False)
        outside |= after & Q(started_at__lt=end) if end else after
    return list_records(filters).filter(outside).select_related(None).order_by()


def _group(rows: QuerySet[Any], fields: Sequence[str], *, calls: Aggregate) -> Rows:
    sums = {f"total_{measure}": Coalesce(Sum(measure), 0) for measure in _MEASURES if measure != "calls"}
    sums["total_calls"] = Coalesce(calls, 0)
    return rows.values(*fields).annotate(**sums) if fields else [rows.aggregate(**sums)]
