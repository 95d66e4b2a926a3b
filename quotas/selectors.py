"""Reads of the rules and the ledger. A standing is computed from the rules and the clock at every call."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from quotas.models import Allowance, Grant, LedgerEntry, Quota, Reservation
from quotas.types import OPEN_STATES, Difference, Kind, Period, Standing, State, Unit, Window
from quotas.windows import window_of


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the rules' history: what held before (None: nothing of its own) and after (None: withdrawn)."""

    at: datetime
    by: User | None
    before: Quota | None
    after: Quota | None
    reason: str

    @property
    def rule(self) -> Quota:
        """The rule the line is about."""
        return self.after or self.before  # type: ignore[return-value]


def default_quota() -> Quota:
    """The product's own rule: what holds for whom no written rule speaks of, so that a missing rule opens nothing."""
    return Quota(unit=Unit.PROMPTS, period=Period.MONTH, limit=20)


def list_rules(principal: Principal, *, at: datetime) -> list[Quota]:
    """The rules that hold for this person at `at`: of each kind the most specific one (D12)."""
    candidates = list_quotas_in_force(at).filter(_speaks_of(principal))
    # Later entries win: the most specific, and of two equally specific ones the younger.
    ordered = sorted(candidates, key=lambda rule: (rule.specificity, rule.starts_at, rule.pk))
    chosen = {rule.kind: rule for rule in (default_quota(), *ordered)}
    return [chosen[kind] for kind in sorted(chosen)]


def _speaks_of(principal: Principal) -> Q:
    return (
        (Q(user=None) | Q(user=principal.user_id))
        & (Q(department=None) | Q(department=principal.department_id))
        & (Q(role="") | Q(role=principal.role))
    )


def list_quotas_in_force(at: datetime) -> QuerySet[Quota]:
    """The rules of everyone that hold at `at`."""
    return Quota.objects.filter(Q(ends_at=None) | Q(ends_at__gt=at), starts_at__lte=at)


def find_allowances(user_id: int, kinds: Iterable[Kind], at: datetime) -> QuerySet[Allowance]:
    """The person's counters of these kinds in the windows around `at`, as far as they exist, ordered by id."""
    wanted = Q(pk__in=[])
    for unit, period, scope in kinds:
        start = window_of(period, at).starts_at
        wanted |= Q(unit=unit, period=period, scope=scope, window_start=start)
    return Allowance.objects.filter(wanted, user=user_id).order_by("id")


def list_standings(principal: Principal) -> list[Standing]:
    """Where the person stands under every quota that holds now, nearest to its end first. Two queries."""
    at = clock.now()
    rules = list_rules(principal, at=at)
    counters = {row.kind: row for row in find_allowances(principal.user_id, [rule.kind for rule in rules], at)}
    standings = [standing_of(rule, counters.get(rule.kind, Allowance()), at) for rule in rules]
    return sorted(standings, key=lambda standing: standing.nearness)


def nearest_standing(principal: Principal) -> Standing:
    """The quota that will end first; an unmetered one only when nothing is metered."""
    return list_standings(principal)[0]


def standing_of(rule: Quota, counters: Allowance, at: datetime) -> Standing:
    """The standing under one rule, from the counters of its window around `at`."""
    unit, period, scope = rule.kind
    return Standing(
        name=rule.name,
        unit=unit,
        period=period,
        scope=scope,
        limit=None if rule.limit is None else rule.limit + counters.granted,
        used=counters.used,
        held=counters.held,
        window=window_of(period, at),
        granted=counters.granted,
        subject=rule.subject,
    )


def find_reservation(call_id: UUID) -> Reservation | None:
    """The durable row of a call, if it was ever admitted."""
    return Reservation.objects.filter(pk=call_id).first()


def count_open(user_id: int) -> int:
    """How many calls of the person are running: open reservations whose lease has not run out."""
    return Reservation.objects.filter(user=user_id, state__in=OPEN_STATES, lease_until__gt=clock.now()).count()


def list_expired(*, limit: int) -> list[UUID]:
    """The calls whose lease ran out while they were open, oldest lease first."""
    expired = Reservation.objects.filter(state__in=OPEN_STATES, lease_until__lte=clock.now())
    return list(expired.order_by("lease_until").values_list("pk", flat=True)[:limit])


def list_entries(user_id: int, window: Window | None = None) -> QuerySet[LedgerEntry]:
    """The person's movements, the newest first; with `window`, those of the allowances that began in it."""
    entries = LedgerEntry.objects.filter(allowance__user=user_id)
    if window is not None:
        entries = entries.filter(allowance__window_start__gte=window.starts_at)
        if window.ends_at is not None:
            entries = entries.filter(allowance__window_start__lt=window.ends_at)
    return entries.select_related("allowance", "reservation__key", "grant__granted_by").order_by("-id")


def find_differences() -> list[Difference]:
    """Every place where the books do not agree; empty when all is well (C03).

    Counters against the sums of their entries, and what is held against the reservations that are still to be decided.
    """
    return [*_counters_against_entries(), *_holds_against_reservations()]


def _counters_against_entries() -> list[Difference]:
    counters = ("used", "held", "granted")
    sums = {f"{name}_sum": Coalesce(Sum(f"entries__delta_{name}"), 0) for name in counters}
    return [
        Difference(f"allowance {row['id']}", name, counter=row[name], books=row[f"{name}_sum"])
        for row in Allowance.objects.values("id", *counters).annotate(**sums).order_by("id").iterator()
        for name in counters
        if row[name] != row[f"{name}_sum"]
    ]


def _holds_against_reservations() -> list[Difference]:
    """A reservation that is held or on its way holds something; any other holds nothing."""
    waiting = Q(state__in=[State.HELD, State.DISPATCHED])
    rows = (
        Reservation.objects.filter(Exists(LedgerEntry.objects.filter(reservation=OuterRef("pk"))))
        .annotate(held=Sum("entries__delta_held"), used=Sum("entries__delta_used"))
        .filter((waiting & Q(held__lte=0)) | (~waiting & ~Q(held=0)) | _used_though_given_back())
        .values_list("pk", "held", "used")
    )
    return [Difference(f"reservation {pk}", "held", counter=held, books=used) for pk, held, used in rows]


def _used_though_given_back() -> Q:
    return Q(state__in=[State.RELEASED, State.REVERSED]) & ~Q(used=0)


# ---- for administrators ----------------------------------------------------------------------------------------------


def list_visible_quotas(principal: Principal, *, history: bool = False) -> QuerySet[Quota]:
    """The rules this person may read: all for administrators, else those that speak of them.

    Args:
        history: also the rules that do not hold any more.
    """
    rules = Quota.objects.all() if history else list_quotas_in_force(clock.now())
    if principal.role != Role.ADMIN:
        rules = rules.filter(_speaks_of(principal))
    return rules.select_related("department", "user")


def list_visible_grants(principal: Principal, *, person: str = "") -> QuerySet[Grant]:
    """The grants this person may read, all for administrators; `person` narrows to one e-mail address."""
    grants = Grant.objects.select_related("allowance__user", "granted_by")
    if principal.role != Role.ADMIN:
        grants = grants.filter(allowance__user=principal.user_id)
    return grants.filter(allowance__user__email=person.lower()) if person else grants


def list_general_rules() -> QuerySet[Quota]:
    """The rules in force for everyone, for roles and for departments."""
    rules = list_quotas_in_force(clock.now()).filter(user=None)
    return rules.select_related("department", "created_by").order_by("unit", "period", "scope", "role", "department")


def list_personal_rules(search: str = "") -> QuerySet[Quota]:
    """The rules in force for single persons whose name or e-mail contains `search`, the newest first."""
    rules = list_quotas_in_force(clock.now()).exclude(user=None)
    if search:
        rules = rules.filter(Q(user__name__icontains=search) | Q(user__email__icontains=search))
    return rules.select_related("user", "created_by").order_by("-starts_at", "-id")


def find_rule(
    *, kind: Kind, role: str = "", department_id: int | None = None, user_id: int | None = None
) -> Quota | None:
    """The rule in force for exactly these people, if there is one of its own."""
    unit, period, scope = kind
    rules = list_quotas_in_force(clock.now()).filter(unit=unit, period=period, scope=scope)
    return rules.filter(role=role, department=department_id, user=user_id).first()


def list_changes(limit: int = 50) -> list[Change]:
    """The newest changes of rules, each with the limit before and after it."""
    rules = list(
        Quota.objects.select_related("department", "user", "created_by", "ended_by").order_by("-starts_at", "-id")[:500]
    )
    ended = {(rule.who, rule.kind, at): rule for rule in rules if (at := rule.ends_at)}
    changes = []
    for rule in rules:
        before = ended.pop((rule.who, rule.kind, rule.starts_at), None)
        changes.append(Change(rule.starts_at, rule.created_by, before, rule, rule.reason))
    changes += [Change(at, rule.ended_by, rule, None, rule.end_reason) for (*_, at), rule in ended.items()]
    return sorted(changes, key=lambda change: change.at, reverse=True)[:limit]


def count_reached(
    *, kind: Kind, role: str = "", department_id: int | None = None, user_id: int | None = None
) -> tuple[int, int]:
    """How many active people a rule would reach, and how many of those it speaks of have a more specific one."""
    people = User.objects.filter(is_active=True)
    if user_id is not None:
        return people.filter(pk=user_id).count(), 0
    people = people.filter(**({"role": role} if role else {}))
    people = people.filter(**({"department": department_id} if department_id is not None else {}))
    unit, period, scope = kind
    rules = list_quotas_in_force(clock.now()).filter(unit=unit, period=period, scope=scope)
    ours = Quota(role=role, department_id=department_id).specificity
    more_specific = Q(pk__in=rules.exclude(user=None).values("user"))
    for rule in rules.filter(user=None):
        if rule.specificity > ours:
            same = Q() if rule.department_id is None else Q(department=rule.department_id)
            more_specific |= same & (Q(role=rule.role) if rule.role else Q())
    elsewhere = people.filter(more_specific).count()
    return people.count() - elsewhere, elsewhere
