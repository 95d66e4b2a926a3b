"""What last month would have looked like under a rule that is only drafted: the log replayed against both.

The log says what every call cost in the end; what a refused one would have cost is the mean of its model.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Mod

from accounts.models import User
from accounts.types import Role
from core import clock
from core.types import Operation
from courses.models import Enrollment
from quotas.models import Grant, LedgerEntry, Pool, Quota
from quotas.resolution import Facts, Rule
from quotas.selectors import list_term_windows
from quotas.simulation import Given, Past, Replay, Stop, replay
from quotas.types import Period, Purse, Unit, Window
from usage.models import UsageRecord
from usage.selectors import summarize
from usage.types import Outcome, UsageFilters

# Of a month with more calls than this every so many-th person's are replayed, and scaled up.
MOST_CALLS = 2_500
_SHOWN = 10
_REFUSAL = "insufficient_quota"


@dataclass(frozen=True, slots=True)
class Simulation:
    """A month of calls under the rules that held and under the draft.

    Args:
        month: its first day.
        share: one in so many of the people was replayed; 1 is all. The figures are scaled up by it.
        observed: how many calls were refused by a quota in fact.
        first_stops: who would have been refused first under the draft, each with their first refusal.
    """

    month: date
    share: int
    observed: int
    present: Replay
    draft: Replay
    first_stops: list[tuple[User, Stop]]

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        """For each figure its name and both values: people stopped, calls refused, prompts, tokens, cost."""
        now, new = self.present, self.draft
        figures = [
            ("people", now.stopped_people, new.stopped_people),
            ("refused", len(now.stops), len(new.stops)),
            ("prompts", now.used[Unit.PROMPTS], new.used[Unit.PROMPTS]),
            ("tokens", now.used[Unit.TOKENS], new.used[Unit.TOKENS]),
            ("cost", now.cost, new.cost),
        ]
        return [(name, before * self.share, after * self.share) for name, before, after in figures]


def simulate(draft: Rule) -> Simulation:
    """Replay last month, or this one where there was none, under the rules that held and with `draft` among them.

    Only of those whom the draft speaks of: nobody else would notice.
    """
    month = _month_with_calls()
    span = Window(clock.start_of(month), clock.start_of(clock.next_month(month)))
    records = _records(span, draft)
    share = 1 + _count(records, month, draft) // MOST_CALLS
    if share > 1:
        records = records.filter(user__in=User.objects.annotate(part=Mod("pk", share)).filter(part=0).values("pk"))
    calls = list(_read(records, draft))
    rules = _rules_of(span)
    given, terms = _given_in(span, {call.facts.user_id for call in calls}), list_term_windows()
    drafted = [rule for rule in rules if (rule.kind, _who(rule)) != (draft.kind, _who(draft))]
    new = replay(calls, rules=[*drafted, replace(draft, starts_at=None, ends_at=None)], given=given, terms=terms)
    stops: dict[int, Stop] = {}
    for stop in new.stops:
        stops.setdefault(stop.user_id, stop)
    people = User.objects.in_bulk(list(stops)[:_SHOWN])
    return Simulation(
        month=month,
        share=share,
        observed=sum(call.was_refused for call in calls) * share,
        present=replay(calls, rules=rules, given=given, terms=terms),
        draft=new,
        first_stops=[(person, stops[person_id]) for person_id in stops if (person := people.get(person_id))],
    )


def _month_with_calls() -> date:
    present = clock.local_day(clock.now()).replace(day=1)
    last = (present - timedelta(days=1)).replace(day=1)
    had = UsageRecord.objects.filter(started_at__gte=clock.start_of(last), started_at__lt=clock.start_of(present))
    return last if had.exists() else present


def _records(span: Window, draft: Rule) -> QuerySet[UsageRecord]:
    """The calls that a quota decided about; those that a course's pool pays are no person's."""
    decided = ~Q(outcome=Outcome.REFUSED) | Q(code=_REFUSAL)
    pooled = Pool.objects.filter(is_open=True).values("course")
    records: QuerySet[UsageRecord] = UsageRecord.objects.filter(decided).exclude(course__in=pooled)
    named = {"user": draft.user_id, "department": draft.department_id, "role": draft.role}
    records = records.filter(**{name: value for name, value in named.items() if value})
    if draft.course_id is not None:
        records = records.filter(user__in=Enrollment.objects.filter(course=draft.course_id).values("user"))
    return records.filter(started_at__gte=span.starts_at, started_at__lt=span.ends_at)


def _count(records: QuerySet[UsageRecord], month: date, draft: Rule) -> int:
    """How many calls these are, or a few more: of many people it is known without counting."""
    if draft.user_id is not None or draft.course_id is not None:
        return records.count()
    last_day = clock.next_month(month) - timedelta(days=1)
    who = UsageFilters(role=draft.role, department_id=draft.department_id, first_day=month, last_day=last_day)
    return summarize(who)[0].calls


def _read(records: QuerySet[UsageRecord], draft: Rule) -> Iterator[Past]:
    courses = defaultdict(set)
    ruled = Q(course__in=Quota.objects.exclude(course=None).values("course")) | Q(course=draft.course_id)
    for user_id, course_id in Enrollment.objects.filter(ruled).order_by().values_list("user", "course"):
        courses[user_id].add(course_id)
    spent = ("prompts", Coalesce("input_tokens", 0) + Coalesce("output_tokens", 0), "cost_micro")
    fields = ("model", "outcome", "started_at", "user_id", "role", "department_id", "operation")
    rows: list[tuple[Any, ...]] = list(records.order_by("started_at", "id").values_list(*fields, *spent))
    means = _means((model, rest[-3:]) for model, outcome, *rest in rows if outcome != Outcome.REFUSED)
    for model, outcome, at, user, role, department, operation, *amounts in rows:
        was_refused = outcome == Outcome.REFUSED
        prompts, tokens, cost = means.get(model, (1, 0, 0)) if was_refused else amounts
        yield Past(
            at,
            Facts(user, Role(role), department, courses.get(user, ())),
            Operation(operation),
            model,
            {Unit.PROMPTS: prompts, Unit.TOKENS: tokens, Unit.MONEY: cost},
            cost,
            was_refused,
        )


def _means(served: Iterable[tuple[str, Sequence[int]]]) -> dict[str, tuple[int, int, int]]:
    """What a call of each model came to on average: prompts, one at least, tokens and cost."""
    by_model = defaultdict(list)
    for model, amounts in served:
        by_model[model].append(amounts)
    means = {}
    for model, all_amounts in by_model.items():
        prompts, tokens, cost = (round(sum(column) / len(column)) for column in zip(*all_amounts, strict=True))
        means[model] = (max(1, prompts), tokens, cost)
    return means


def _rules_of(span: Window) -> list[Rule]:
    held = Q(ends_at=None) | Q(ends_at__gt=span.starts_at)
    return [row.plain for row in Quota.objects.filter(held, starts_at__lt=span.ends_at)]


def _given_in(span: Window, people: set[int]) -> list[Given]:
    """What these people had beside the rules in the month, less what they had used of it before."""
    grants = Grant.objects.filter(at__lt=span.ends_at, allowance__user__isnull=False).select_related("allowance")
    alive = Q(allowance__purse=Purse.PURCHASED) | Q(allowance__expires_at__gt=span.starts_at)
    inside = Q(allowance__purse=Purse.PERIOD, at__gte=span.starts_at - timedelta(days=31))
    rows = [row for row in grants.filter(alive | inside).order_by("at") if row.allowance.user_id in people]
    beside = {row.allowance_id for row in rows if row.allowance.purse != Purse.PERIOD}
    spent = Counter(
        dict(
            LedgerEntry.objects.filter(allowance__in=beside, at__lt=span.starts_at)
            .values_list("allowance")
            .annotate(used=Sum("delta_used"))
            .order_by()
        )
    )
    given = []
    for row in rows:
        purse = row.allowance
        used = min(row.amount, spent[purse.pk])
        spent[purse.pk] -= used
        is_inside = purse.purse == Purse.PERIOD
        kind = (Unit(purse.unit), Period(purse.period), purse.scope)
        start: datetime | None = purse.window_start if is_inside else None
        given.append(Given(purse.user_id or 0, kind, row.amount - used, row.at, start, purse.expires_at))
    return given


def _who(rule: Rule) -> tuple[str, int | None, int | None, int | None]:
    return rule.role, rule.department_id, rule.course_id, rule.user_id
