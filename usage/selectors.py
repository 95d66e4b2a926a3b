"""Reads of what happened. Sums come from what was rolled up where a day is complete, and from the records elsewhere,
so that every number is exact at every moment, with or without a worker that rolls up.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial, reduce
from hashlib import sha256
from itertools import chain
from operator import add, sub
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.core.cache import cache
from django.db import connection
from django.db.models import Aggregate, Count, DateField, F, Max, Min, Model, Q, QuerySet, Subquery, Sum, TextChoices
from django.db.models.functions import Cast, Coalesce, Lower, TruncDate
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Department, User
from accounts.types import Principal, Role
from core import clock
from core.types import Operation, Via
from courses.models import Course
from usage.models import (
    Alarm,
    AlarmReader,
    Budget,
    DailyGroup,
    DailyRollup,
    DailyTotal,
    Opening,
    Reading,
    RollupDay,
    Subscription,
    UsageRecord,
)
from usage.tables import Column, Table, add_rows, combine, pack, unpack
from usage.types import MEASURES, SETTLING_TIME, CallsOfDay, Every, Group, Outcome, Summary, UsageFilters

_NAMED: dict[str, type[Model]] = {"user": User, "department": Department, "course": Course}
_WORDED: dict[str, type[TextChoices]] = {"role": Role, "via": Via, "operation": Operation, "outcome": Outcome}
Rows = Iterable[tuple[Any, ...]]  # the values of the fields grouped by, then those of MEASURES
Spans = list[tuple[date, date]]
T = TypeVar("T")


class _Gap(NamedTuple):
    """Days, from `begin` up to but not with `end`, that are not complete, and their records."""

    begin: date | None
    end: date | None
    records: QuerySet[UsageRecord]

    @property
    def day(self) -> date | None:
        """The day, if it is only one."""
        return self.begin if self.begin and self.end == self.begin + _DAY else None


REMEMBERED = 24 * 3600  # seconds
_DAY = timedelta(days=1)
_READ: dict[Group, Callable[[date], date]] = {
    "week": lambda day: day - day.weekday() * _DAY,
    "month": lambda day: day.replace(day=1),
}
_FIELDS = ("user_id", "role", "department_id", "course_id", "via", "operation", "model", "outcome")
_ALONE = _FIELDS[1:]  # each has totals of its own in `DailyGroup`


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


def sum_spending(*, since: date, provider: str = "") -> int:
    """What everything has cost since this day, or everything at one provider, in micro-units of the currency."""
    if not provider:
        return summarize(UsageFilters(first_day=since))[0].cost_micro
    # Sums of days know no provider.
    records = UsageRecord.objects.filter(started_at__gte=clock.start_of(since), provider=provider).order_by()
    return int(records.aggregate(cost=Coalesce(Sum("cost_micro"), 0))["cost"])


def list_calls_at(provider: str, *, first_day: date, last_day: date) -> list[CallsOfDay]:
    """The calls of these days of UTC that went to a provider, and the lost ones that may have, summed up.

    Args:
        provider: its short name.
    """
    # Which provider had a call that was swept nobody knows; one that was abandoned never went to any.
    sent = Q(provider=provider) | Q(provider="", outcome=Outcome.LOST)
    begin, end = (datetime.combine(day, time.min, UTC) for day in (first_day, last_day + _DAY))
    records = UsageRecord.objects.filter(sent, started_at__gte=begin, started_at__lt=end).order_by()
    # Both databases keep UTC and speak it to us: a cast needs no look by Python at each row, which TruncDate does.
    rows = (
        records.exclude(outcome=Outcome.LOST, code="abandoned")
        .annotate(day=Cast("started_at", DateField()))
        .values_list("day", "model", "provider", "operation", "outcome", "usage_source")
        .annotate(Count("pk"), *(Sum(name, default=0) for name in ("input_tokens", "output_tokens", "images")))
    )
    return [CallsOfDay(*row) for row in rows]


def find_busiest_day(user_id: int, *, since: date) -> int:
    """How many calls a person made on the busiest of the days from `since` up to yesterday."""
    yesterday = clock.local_day(clock.now()) - _DAY
    days = summarize(UsageFilters(user_id=user_id, first_day=since, last_day=yesterday), by=["day"])
    return max((day.calls for day in days), default=0)


def list_alarms(*, kind: str = "", state: str = "") -> QuerySet[Alarm]:
    """Every alarm of a kind, or of all: "new" or "seen" ones, or both."""
    alarms = Alarm.objects.select_related("user", "seen_by")
    if kind:
        alarms = alarms.filter(kind=kind)
    return alarms.filter(seen_at__isnull=state == "new") if state else alarms


def count_new_alarms() -> int:
    """How many alarms nobody has seen yet."""
    return Alarm.objects.filter(seen_at=None).count()


def list_budgets() -> list[tuple[Budget, int]]:
    """Every budget of a month, and what this one has cost so far."""
    month = clock.local_day(clock.now()).replace(day=1)
    return [(budget, sum_spending(since=month, provider=budget.provider)) for budget in Budget.objects.all()]


def wants_mail(user_id: int) -> bool:
    """Whether this administrator is told of alarms by mail too."""
    return AlarmReader.objects.filter(user=user_id).exists()


def list_subscriptions(user_id: int) -> QuerySet[Subscription]:
    """What a person gets by mail."""
    return Subscription.objects.filter(user=user_id).select_related("course")


def list_due(every: Every, until: date) -> QuerySet[Subscription]:
    """Whose last week or month, which ended on this day, has not been told."""
    due = Subscription.objects.filter(every=every, told_until__lt=until)
    return due.select_related("user", "course").order_by("pk")


def find_subscription(token: UUID) -> Subscription | None:
    """The one with this token, if it has not ended."""
    return Subscription.objects.select_related("user", "course").filter(token=token).first()


def list_records(filters: UsageFilters) -> QuerySet[UsageRecord]:
    """The records that match, the newest first."""
    # A person is always there, so SQLite may begin with all people, read every record and sort them: not joined.
    named = _matching(filters).select_related("department", "course", "key").prefetch_related("user")
    return named.order_by("-started_at", "-id")


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
        # The first condition says nothing new: it is where an index can begin, which no OR can tell it.
        beyond = Q(started_at__lt=started_at) | Q(started_at=started_at, pk__lt=pk)
        records = records.filter(beyond, started_at__lte=started_at)
    return list(records[:limit])


def summarize(filters: UsageFilters, *, by: Sequence[Group] = ()) -> list[Summary]:
    """Totals of the usage that matches, grouped, and sorted by the groups' values.

    Source: of the days that are complete the smallest table that can tell, `DailyGroup`, `DailyTotal` or `DailyRollup`;
    `UsageRecord` for all others, today always among them.

    Args:
        by: what to group by, in this order; a key holds ids for user, department and course, and the first day for
            week and month. Nothing means one row of totals.
    """
    spans, version = _complete_spans(filters)
    fields = list(dict.fromkeys(_field_of(group) for group in by))
    read = [(fields.index(_field_of(group)), _READ.get(group)) for group in by]
    width = len(fields)
    groups: dict[tuple[Any, ...], Summary] = {} if by else {(): Summary()}
    for row in (*_sum_rollups(filters, fields, spans, version), *_sum_records(filters, fields, spans)):
        key = tuple([value_of(row[place]) if value_of else row[place] for place, value_of in read])
        total = groups.setdefault(key, Summary(key))
        for measure, value in zip(MEASURES, row[width:], strict=True):
            setattr(total, measure, getattr(total, measure) + value)
    return [groups[key] for key in sorted(groups, key=_nulls_last)]


def tabulate(filters: UsageFilters, *, by: Group) -> Table:
    """`summarize` for one kind of groups, in a form that holds as many as there are people."""
    if by != "user":
        return Table.of(summarize(filters, by=(by,)))
    spans, version = _complete_spans(filters)
    if _equal(filters):
        packed = _remembered(("table", filters, spans, version), lambda: [*map(pack, _sum_people(filters, spans))])
        columns = [*map(unpack, packed)]
    else:
        columns = _read_meters(spans)
    for gap in _gaps(filters, spans):
        for part in _in_parts("table", filters, gap, _pack_people):
            columns = [combine(add, column, unpack(more)) for column, more in zip(columns, part, strict=True)]
    return Table.of_people(columns)


def rank_people() -> dict[int, int]:
    """The place of everyone in the order of their names."""
    people = User.objects.order_by(Lower("name"), "pk").values_list("pk", flat=True)
    return {pk: place for place, pk in enumerate(people)}


def count_people(filters: UsageFilters) -> int:
    """How many different people made the calls that match."""
    spans, version = _complete_spans(filters)
    recorded: set[int] = set()
    for gap in _gaps(filters, spans):
        # One by one: SQLite would look for different people among everybody rather than among a day's calls.
        recorded.update(
            *_in_parts("people", filters, gap, lambda records: {*records.values_list("user_id", flat=True)})
        )
    if not spans:
        return len(recorded)
    if not _equal(filters):
        (calls,) = _read_meters(spans, MEASURES[:1])
        more = {person for person in recorded if person >= len(calls) or not calls[person]}
        return len(calls) - calls.count(0) + len(more)
    rolled_up = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()
    known = _remembered(("people", filters, spans, version), lambda: set(_people_of(rolled_up)))
    return len(known | recorded)


def list_people(filters: UsageFilters, *, by: Group, keys: Collection[Any]) -> dict[Any, set[int]]:
    """Who made the calls that match, for the groups with these keys."""
    people: dict[Any, set[int]] = {key: set() for key in keys}
    spans, version = _complete_spans(filters)
    field = _field_of(by)
    named = _among(field, keys)
    rolled_up = DailyRollup.objects.filter(_inside(spans), named, **_equal(filters)).order_by()

    def pairs(rows: QuerySet[Any]) -> list[tuple[Any, int]]:
        return list(rows.values_list(field, "user_id").distinct())

    about = ("who", by, sorted(map(repr, keys)))
    parts = [_remembered((*about, filters, spans, version), lambda: pairs(rolled_up))] if spans else []
    for gap in _gaps(filters, spans):
        parts += _in_parts(about, filters, gap, lambda records: pairs(records.filter(named)))
    for key, user_id in chain.from_iterable(parts):
        people[key].add(user_id)
    return people


def list_peopled(filters: UsageFilters, *, by: Group, least: int) -> set[Any]:
    """The groups in which surely at least `least` people made calls: found on the days that are over.

    A group that is not among them may be as large with the calls of other days.
    """
    spans, version = _complete_spans(filters)
    field = _field_of(by)
    rollups = DailyRollup.objects.filter(**_equal(filters)).order_by()

    def peopled(rows: QuerySet[DailyRollup]) -> set[Any]:
        counted = rows.values(field).annotate(people=Count("user_id", distinct=True)).filter(people__gte=least)
        return set(counted.values_list(field, flat=True))

    about = ("peopled", filters, by, least, spans, version)
    if not _is_alone(filters, [field]):
        some = [(max(first, last - (days - 1) * _DAY), last) for first, last in spans[-1:] for days in (1, 7)]
        return _remembered(about, lambda: set().union(*(peopled(rollups.filter(_inside([span]))) for span in some)))
    most = DailyGroup.objects.filter(_inside(spans), kind=by).order_by().values_list("value").annotate(Max("people"))
    known = {_value_in(field, value): people >= least for value, people in most}
    doubtful = [key for key, is_peopled in known.items() if not is_peopled]
    # Few on each single day: they may be many different people together.
    more = (
        _remembered(about, lambda: peopled(rollups.filter(_inside(spans), _among(field, doubtful)))) if doubtful else ()
    )
    return {key for key, is_peopled in known.items() if is_peopled}.union(more)


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
    records = _matching(UsageFilters(first_day=day, last_day=day))
    return _named(_group(records, _FIELDS, calls=Count("id")), _FIELDS)


def total_rollups(day: date) -> list[dict[str, Any]]:
    """The totals of a day's rollups, one row for each combination a `DailyTotal` tells apart."""
    fields = [field for field in _FIELDS if field not in ("user_id", "course_id")]
    return _named(_group(DailyRollup.objects.filter(day=day).order_by(), fields, calls=Sum("calls")), fields)


def total_groups(day: date) -> Iterable[dict[str, Any]]:
    """The totals of a day's rollups, one row for each `DailyGroup`."""
    for field in _ALONE:
        rollups = DailyRollup.objects.filter(day=day).order_by()
        people = dict(rollups.values_list(field).annotate(people=Count("user_id", distinct=True)))
        for value, *sums in _group(rollups, [field], calls=Sum("calls")):
            named = {"kind": field.removesuffix("_id"), "value": _value_out(value), "people": people[value]}
            yield named | dict(zip(MEASURES, sums, strict=True))


def total_people(day: date) -> Rows:
    """What a day's rollups say of each person: the id and the numbers."""
    return _group(DailyRollup.objects.filter(day=day).order_by(), ["user_id"], calls=Sum("calls"))


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


def _matching(filters: UsageFilters) -> QuerySet[UsageRecord]:
    records = UsageRecord.objects.filter(**_equal(filters)).order_by()
    if filters.first_day is not None:
        records = records.filter(started_at__gte=clock.start_of(filters.first_day))
    if filters.last_day is not None:
        records = records.filter(started_at__lt=clock.start_of(filters.last_day + _DAY))
    return records


def _equal(filters: UsageFilters) -> dict[str, Any]:
    return {name: value for name in _FIELDS if (value := getattr(filters, name)) not in (None, "")}


def _among(field: str, keys: Collection[Any]) -> Q:
    named = Q(**{f"{field}__in": [key for key in keys if key is not None]})
    return named | Q(**{f"{field}__isnull": True}) if None in keys else named


def _field_of(group: Group) -> str:
    if group in ("day", "week", "month"):
        return "day"
    return f"{group}_id" if group in ("user", "department", "course") else group


def _nulls_last(key: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [(value is None, value) for value in key]


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
    if _is_alone(filters, fields):
        return _sum_groups(filters, fields, spans)
    named = {*fields, *_equal(filters)}
    if not named & {"user_id", "course_id"}:
        totals = DailyTotal.objects.filter(_inside(spans), **_equal(filters)).order_by()
        return _group(totals, fields, calls=Sum("calls"))
    rollups = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()

    def sums() -> list[tuple[Any, ...]]:
        return list(_group(rollups, fields, calls=Sum("calls")))

    if filters.user_id is not None or filters.course_id is not None:
        return sums()  # few rows, found by an index
    return _remembered(("sums", filters, fields, spans, version), sums)


def _is_alone(filters: UsageFilters, fields: Iterable[str]) -> bool:
    """Whether days and at most one thing more are named, which has totals of its own."""
    named = {*fields, *_equal(filters)} - {"day"}
    return len(named) <= 1 and named <= {*_ALONE}


def _sum_groups(filters: UsageFilters, fields: Sequence[str], spans: Spans) -> Rows:
    named = {*fields, *_equal(filters)} - {"day"}
    field = named.pop() if named else "role"
    groups = DailyGroup.objects.filter(_inside(spans), kind=field.removesuffix("_id")).order_by()
    for value in _equal(filters).values():
        groups = groups.filter(value=_value_out(value))
    places = ["value" if name == field else name for name in fields]
    place = places.index("value") if "value" in places else None
    for row in _group(groups, places, calls=Sum("calls")):
        yield row if place is None else (*row[:place], _value_in(field, row[place]), *row[place + 1 :])


def _value_out(value: Any) -> str:
    return "" if value is None else str(value)


def _value_in(field: str, value: str) -> Any:
    return (int(value) if value else None) if field.endswith("_id") else value


def _sum_people(filters: UsageFilters, spans: Spans) -> list[Column]:
    columns = [array("q") for _ in MEASURES]
    if spans:
        rolled_up = DailyRollup.objects.filter(_inside(spans), **_equal(filters)).order_by()
        add_rows(columns, _group(rolled_up, ["user_id"], calls=Sum("calls")))
    return columns


def _read_meters(spans: Spans, measures: Sequence[str] = MEASURES) -> list[Column]:
    """What each person used in these days, a column for each measure: the difference of two readings for each span.

    All readings come from one statement, so that a day written anew has moved all of them or none.
    """
    asked = Q(pk__in=[])
    for day in (day for first, last in spans for day in (first - _DAY, last)):
        asked |= Q(day=Subquery(Reading.objects.filter(day__lte=day).order_by("-day").values("day")[:1]))
    kept = Reading.objects.filter(asked, measure__in=measures).order_by("day")
    readings: dict[str, list[tuple[date, Column]]] = {measure: [] for measure in measures}
    for measure, day, column in kept.values_list("measure", "day", "column"):
        readings[measure].append((day, unpack(column)))

    def used(measure: str, first: date, last: date) -> Column:
        before, until = (
            next((column for day, column in reversed(readings[measure]) if day <= end), array("q"))
            for end in (first - _DAY, last)
        )
        return combine(sub, until, before)

    return [
        reduce(partial(combine, add), [used(measure, *span) for span in spans] or [array("q")]) for measure in measures
    ]


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


def _last_settled() -> int:
    """The id of a record of the hours that are over: none with a smaller one comes any more, and none ever goes."""
    until = (clock.now() - SETTLING_TIME).replace(minute=0, second=0, microsecond=0)
    written = UsageRecord.objects.filter(ended_at__lt=until).order_by("-pk").values_list("pk", flat=True)
    return _remembered(("settled", until), lambda: written.first() or 0)


def _in_parts(about: Any, filters: UsageFilters, gap: _Gap, read: Callable[[QuerySet[Any]], T]) -> list[T]:
    """What `read` makes of the records of a gap: of those that are settled, which is remembered, and of the later ones.

    Of one person or one course there are few: they are read together, and nothing is remembered.
    """
    if filters.user_id is not None or filters.course_id is not None:
        return [read(gap.records)]
    last, which = _last_settled(), _equal(filters)
    # By a number that no index knows: nearly all ids are below it, and SQLite would walk through those, not the days.
    settled = gap.records.alias(number=F("pk") + 0).filter(number__lte=last)
    known = _remembered(("part", about, which, gap.begin, gap.end, last), lambda: read(settled))
    return [known, read(gap.records.filter(pk__gt=last))]


def _pack_people(records: QuerySet[Any]) -> list[bytes]:
    # One by one: a database that adds up for each of very many people costs more, and Django for each sum.
    columns = [array("q") for _ in MEASURES]
    add_rows(columns, ((person, 1, *others) for person, *others in records.values_list("user_id", *MEASURES[1:])))
    return [pack(column) for column in columns]


def _sum_records(filters: UsageFilters, fields: Sequence[str], spans: Spans) -> Rows:
    for gap in _gaps(filters, spans):
        # Which day it is needs no look at each record of one day: SQLite asks Python for every one.
        is_dated = "day" in fields and gap.day is None
        others = [field for field in fields if field != "day" or is_dated]
        dated = {"day": TruncDate("started_at", tzinfo=timezone.get_default_timezone())} if is_dated else {}
        for row in chain.from_iterable(_in_parts(("sums", others), filters, gap, partial(_sums, others, dated))):
            if others == fields:
                yield row
            elif any(row[len(others) :]):  # of nothing the sum is a row too, where nothing else is grouped by
                place = list(fields).index("day")
                yield (*row[:place], gap.day, *row[place:])


def _sums(fields: Sequence[str], dated: Mapping[str, Any], records: QuerySet[Any]) -> list[tuple[Any, ...]]:
    return list(_group(records.annotate(**dated), fields, calls=Count("id")))


def _inside(spans: Spans) -> Q:
    inside = Q(pk__in=[])
    for first, last in spans:
        inside |= Q(day__gte=first, day__lte=last)
    return inside


def _gaps(filters: UsageFilters, spans: Spans) -> list[_Gap]:
    """One range of time for each gap between the spans.

    A range each, and none that is surely empty: of several in one statement both databases make a walk over all rows.
    """
    begins = [filters.first_day, *(last + _DAY for _, last in spans)]
    ends = [*(first for first, _ in spans), filters.last_day and filters.last_day + _DAY]
    records = _matching(replace(filters, first_day=None, last_day=None))
    gaps = []
    for begin, end in zip(begins, ends, strict=True):
        if begin is None or end is None or begin < end:
            after = Q(started_at__gte=clock.start_of(begin)) if begin else Q()
            before = Q(started_at__lt=clock.start_of(end)) if end else Q()
            gaps.append(_Gap(begin, end, records.filter(after & before)))
    return gaps


def _group(rows: QuerySet[Any], fields: Sequence[str], *, calls: Aggregate) -> Rows:
    sums = {f"total_{name}": Coalesce(calls if name == "calls" else Sum(name), 0) for name in MEASURES}
    if not fields:
        return [tuple(rows.aggregate(**sums).values())]
    grouped: Rows = rows.values(*fields).annotate(**sums).values_list(*fields, *sums)
    return grouped


def _named(rows: Rows, fields: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip((*fields, *MEASURES), row, strict=True)) for row in rows]
