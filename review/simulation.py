"""What last month would have looked like under a rule that is only drafted: the log replayed against both.

The log says what every call cost in the end; what a refused one would have cost is the mean of its model.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Avg, F, Q, QuerySet, Sum
from django.db.models.functions import Mod

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
from quotas.windows import next_month
from usage.models import UsageRecord
from usage.selectors import summarize
from usage.types import Outcome, UsageFilters

# Of a month with more calls than this every so many-th person's are replayed, and scaled up.
MOST_CALLS = 10_000
_SHOWN = 10
_REFUSAL = "insufficient_quota"


@dataclass(frozen=True, slots=True)
class Simulation:
    """A month of calls under the rules that held and under the draft.

    Args:
        month: its first day.
        share: one in so many people was replayed; 1 is everybody. The figures are scaled up by it.
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
    """Replay last month, or this one where there was none, under the rules that held and with `draft` among them."""
    month = _month_with_calls()
    following = next_month(month)
    span = Window(clock.start_of(month), clock.start_of(following))
    records = _records(span)
    [total] = summarize(UsageFilters(first_day=month, last_day=following - timedelta(days=1)))
    share = 1 + total.calls // MOST_CALLS
    if share > 1:
        records = records.filter(user__in=User.objects.annotate(part=Mod("pk", share)).filter(part=0).values("pk"))
    calls = list(_read(records))
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


def _records(span: Window) -> QuerySet[UsageRecord]:
    """The calls that a quota decided about; those that a course's pool pays are no person's."""
    decided = ~Q(outcome=Outcome.REFUSED) | Q(code=_REFUSAL)
    pooled = Pool.objects.filter(is_open=True).values("course")
    records: QuerySet[UsageRecord] = UsageRecord.objects.filter(decided).exclude(course__in=pooled)
    return records.filter(started_at__gte=span.starts_at, started_at__lt=span.ends_at)


def _read(records: QuerySet[UsageRecord]) -> Iterator[Past]:
    served = records.exclude(outcome=Outcome.REFUSED).values("model")
    means: dict[str, Any] = {
        row["model"]: row
        for row in served.annotate(
            prompts=Avg("prompts"), tokens=Avg(F("input_tokens") + F("output_tokens")), cost=Avg("cost_micro")
        ).order_by("model")
    }
    courses = defaultdict(set)
    for user_id, course_id in Enrollment.objects.filter(
        course__in=Quota.objects.exclude(course=None).values("course")
    ).values_list("user", "course"):
        courses[user_id].add(course_id)
    fields = (
        "started_at", "user_id", "role", "department_id", "operation", "model",
        "outcome", "prompts", "input_tokens", "output_tokens", "cost_micro",
    )  # fmt: skip
    for at, user, role, department, operation, model, outcome, prompts, asked, answered, cost in (
        records.order_by("started_at", "id").values_list(*fields).iterator(chunk_size=5000)
    ):
        was_refused = outcome == Outcome.REFUSED
        tokens = (asked or 0) + (answered or 0)
        if was_refused:
            mean = means.get(model, {})
            prompts = max(1, round(mean.get("prompts") or 1))  # noqa: PLW2901
            tokens, cost = round(mean.get("tokens") or 0), round(mean.get("cost") or 0)  # noqa: PLW2901
        yield Past(
            at,
            Facts(user, Role(role), department, courses.get(user, ())),
            Operation(operation),
            model,
            {Unit.PROMPTS: prompts, Unit.TOKENS: tokens, Unit.MONEY: cost},
            cost,
            was_refused,
        )


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
