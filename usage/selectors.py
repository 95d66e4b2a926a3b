"""Reads of what happened. Sums come from the daily rollups where a day is complete, and from the records elsewhere,
so that every number is exact at every moment, with or without a worker that rolls up.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from django.core.cache import cache
from django.db import connection
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
Spans = list[tuple[date, date]]
T = TypeVar("T")
REMEMBERED = 24 * 3600  # seconds
_DAY = timedelta(days=1)
MEASURES = ("calls", "prompts", "input_tokens", "output_tokens", "images", "cost_micro")
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
    spans, version = _complete_spans(filters)
    fields = list(dict.fromkeys(_field_of(group) for group in by))
    groups: dict[tuple[Any, ...], Summary] = {} if by else {(): Summary()}
    for row in (*_sum_rollups(filters, fields, spans, version), *_sum_records(filters, fields, spans)):
        key = tuple(_value_of(group, row) for group in by)
        total = groups.setdefault(key, Summary(key=key))
        for measure in MEASURES:
            setattr(total, measure, getattr(total, measure) + row[f"total_{measure}"])
    return [groups[key] for key in sorted(groups, key=lambda key: [(value is None, value) for value in key])]


def count_people(filters: UsageFilters) -> int:
    """How many different people made the calls that match."""
    spans, version = _complete_spans(filters)
    recorded = [_people_of(records) for records in _records_outside(filters, spans)]
    if not spans:
        return sum(people.count() for people in recorded)  # one range at most
    rolled_up = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()
    known = _remembered(("people", filters, spans, version), lambda: set(_people_of(rolled_up)))
    return len(known.union(*recorded))


def list_people(filters: UsageFilters, *, by: Group, keys: Collection[Any]) -> dict[Any, set[int]]:
    """Who made the calls that match, for the groups with these keys."""
    people: dict[Any, set[int]] = {key: set() for key in keys}
    spans, _version = _complete_spans(filters)
    field = _field_of(by)
    named = Q(**{f"{field}__in": [key for key in keys if key is not None]})
    named |= Q(**{f"{field}__isnull": True}) if None in people else Q()
    rolled_up = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()
    for rows in (rolled_up, *_records_outside(filters, spans)):
        for key, user_id in rows.filter(named).values_list(field, "user_id").distinct():
            people[key].add(user_id)
    return people


def list_peopled(filters: UsageFilters, *, by: Group, least: int) -> set[Any]:
    """The groups in which at least `least` people made calls on one of the last days: of many a quick certainty.

    A group that is not among them may be as large over all its days.
    """
    spans, _version = _complete_spans(filters)
    peopled: set[Any] = set()
    for first, last in spans[-1:]:
        for days in (1, 7):
            some = [(max(first, last - (days - 1) * _DAY), last)]
            rows = DailyRollup.objects.filter(_inside(some), **_equal(filters)).order_by().values(_field_of(by))
            counted = rows.annotate(people=Count("user_id", distinct=True)).filter(people__gte=least)
            peopled |= set(counted.values_list(_field_of(by), flat=True))
    return peopled


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


def _complete_spans(filters: UsageFilters) -> tuple[Spans, int]:
    """The complete days asked for as spans, and how often they were written: the same number, the same sums."""
    days = RollupDay.objects.filter(complete=True)
    if filters.first_day is not None:
        days = days.filter(day__gte=filters.first_day)
    if filters.last_day is not None:
        days = days.filter(day__lte=filters.last_day)
    rows = list(days.order_by("day").values_list("day", "writings"))
    return _spans(day for day, _ in rows), sum(writings for _, writings in rows)


def _spans(days: Iterable[date]) -> Spans:
    """Ascending days as spans from a first to a last day."""
    spans: Spans = []
    for day in days:
        if spans and spans[-1][1] + _DAY == day:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _sum_rollups(filters: UsageFilters, fields: Sequence[str], spans: Spans, version: int) -> Rows:
    if not spans:
        return []
    named = {*fields, *_equal(filters)}
    if not named & {"user_id", "course_id"}:
        totals = DailyTotal.objects.filter(_inside(spans), **_equal(filters)).order_by()
        return _group(totals, fields, calls=Sum("calls"))
    rollups = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()

    def sums() -> list[dict[str, Any]]:
        return list(_group(rollups, fields, calls=Sum("calls")))

    if filters.user_id is not None or filters.course_id is not None:
        return sums()  # few rows, found by an index
    return _remembered(("sums", filters, fields, spans, version), sums)


def _people_of(rows: QuerySet[Any]) -> QuerySet[Any, int]:
    return rows.values_list("user_id", flat=True).distinct()


def _remembered(about: tuple[Any, ...], read: Callable[[], T]) -> T:
    """What complete days add up to does not change until one is written again, and that is part of `about`."""
    key = "usage:" + sha256(repr((connection.settings_dict["NAME"], *about)).encode()).hexdigest()
    found: T | None = cache.get(key)
    if found is None:
        found = read()
        cache.set(key, found, REMEMBERED)
    return found


def _sum_records(filters: UsageFilters, fields: Sequence[str], spans: Spans) -> Rows:
    day = {"day": TruncDate("started_at", tzinfo=timezone.get_default_timezone())} if "day" in fields else {}
    for records in _records_outside(filters, spans):
        yield from _group(records.annotate(**day), fields, calls=Count("id"))


def _inside(spans: Spans) -> Q:
    inside = Q(pk__in=[])
    for first, last in spans:
        inside |= Q(day__gte=first, day__lte=last)
    return inside


def _records_outside(filters: UsageFilters, spans: Spans) -> list[QuerySet[UsageRecord]]:
    """The records of the days that are not complete: one range of time for each gap between the spans.

    A range each, and none that is surely empty: of several in one statement both databases make a walk over all rows.
    """
    begins = [filters.first_day, *(last + _DAY for _, last in spans)]
    ends = [*(first for first, _ in spans), filters.last_day and filters.last_day + _DAY]
    records = list_records(replace(filters, first_day=None, last_day=None)).select_related(None).order_by()
    gaps = []
    for begin, end in zip(begins, ends, strict=True):
        if begin is None or end is None or begin < end:
            after = Q(started_at__gte=clock.start_of(begin)) if begin else Q()
            gaps.append(records.filter(after & (Q(started_at__lt=clock.start_of(end)) if end else Q())))
    return gaps


def _group(rows: QuerySet[Any], fields: Sequence[str], *, calls: Aggregate) -> Rows:
    sums = {f"total_{measure}": Coalesce(Sum(measure), 0) for measure in MEASURES if measure != "calls"}
    sums["total_calls"] = Coalesce(calls, 0)
    return rows.values(*fields).annotate(**sums) if fields else [rows.aggregate(**sums)]
