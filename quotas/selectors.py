"""Reads of the rules and the ledger. A standing is computed from the rules and the clock at every call."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    SmallIntegerField,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from core.errors import NotFound
from core.text import one_line
from courses.models import Course, Enrollment
from courses.selectors import list_taught_courses, list_terms
from quotas.models import (
    IS_OPEN,
    Allowance,
    ApproverLimit,
    Grant,
    LedgerEntry,
    Offer,
    Pool,
    Purchase,
    Quota,
    Request,
    Reservation,
    Warned,
)
from quotas.resolution import Asked, Demand, Facts, Rule, choose_rules, list_ways, takes_extra
from quotas.resolution import Pool as OpenPool
from quotas.types import (
    LEDGER_UNITS,
    POOL_SCOPE,
    Difference,
    Kind,
    Period,
    PurchaseState,
    Purse,
    RequestState,
    Standing,
    State,
    Subject,
    Unit,
    Window,
)
from quotas.windows import window_of
from quotas.wording import name_rule_later


class Counters(Protocol):
    """What a purse has counted."""

    granted: int
    used: int
    held: int


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

    @property
    def can_be_undone(self) -> bool:
        """Whether what it made still holds, and something of its own would be left to hold instead."""
        after = self.after
        is_alive = after is not None and (after.ends_at is None or after.ends_at > clock.now())
        return is_alive and (self.before is not None or after.subject != Subject.EVERYONE)  # type: ignore[union-attr]


def list_rules(principal: Principal, *, at: datetime) -> list[Rule]:
    """The rules that hold for this person at `at`: of each kind the most specific one (D12)."""
    rows = list(list_quotas_in_force(at).filter(_speaks_of(principal)))
    return choose_rules([row.plain for row in rows], facts=_facts_of(principal, rows), at=at)


def list_candidates(people: Collection[Principal]) -> list[tuple[Facts, list[Rule]]]:
    """For each of these people every rule that speaks of them, those that begin later too, and the facts about them.

    Two queries, however many there are.
    """
    ids = [person.user_id for person in people]
    in_force = Q(ends_at=None) | Q(ends_at__gt=clock.now())
    rules = [row.plain for row in Quota.objects.filter(in_force, Q(user=None) | Q(user__in=ids))]
    ruled = {rule.course_id for rule in rules if rule.course_id is not None}
    courses: dict[int, set[int]] = {}
    for user_id, course_id in Enrollment.objects.filter(user__in=ids, course__in=ruled).values_list("user", "course"):
        courses.setdefault(user_id, set()).add(course_id)
    everyones = [rule for rule in rules if rule.user_id is None]
    own: dict[int | None, list[Rule]] = {}
    for rule in rules:
        own.setdefault(rule.user_id, []).append(rule)
    facts = [Facts(p.user_id, p.role, p.department_id, courses.get(p.user_id, ())) for p in people]
    return [(f, [rule for rule in (*everyones, *own.get(f.user_id, ())) if rule.speaks_of(f)]) for f in facts]


def list_ways_of(principal: Principal, asked: Asked, *, at: datetime) -> list[tuple[Demand, ...]]:
    """The ways a call of this person may be paid for, to be tried in this order."""
    chosen = list_rules(principal, at=at)
    terms = terms_for([rule.kind for rule in chosen])
    pool = list_open_pools().get(asked.course_id) if asked.course_id is not None else None
    return list_ways(chosen, asked=asked, at=at, terms=terms, pool=pool)


def list_open_pools() -> dict[int, OpenPool]:
    """The pools that are open, by course."""
    rows = Pool.objects.select_related("course").filter(is_open=True)
    return {row.course_id: row.plain for row in rows}


def _facts_of(principal: Principal, rows: Iterable[Quota]) -> Facts:
    """What the rules that speak of a person ask about; of the person's courses, those that have such rules."""
    courses = {row.course_id for row in rows if row.course_id is not None}
    return Facts(principal.user_id, principal.role, principal.department_id, courses)


def _speaks_of(principal: Principal) -> Q:
    courses = Enrollment.objects.filter(user=principal.user_id).values("course")
    return (
        (Q(user=None) | Q(user=principal.user_id))
        & (Q(course=None) | Q(course__in=courses))
        & (Q(department=None) | Q(department=principal.department_id))
        & (Q(role="") | Q(role=principal.role))
    )


def list_quotas_in_force(at: datetime) -> QuerySet[Quota]:
    """The rules of everyone that hold at `at`."""
    return Quota.objects.filter(Q(ends_at=None) | Q(ends_at__gt=at), starts_at__lte=at)


def list_term_windows() -> list[Window]:
    """The university's terms as windows, in order of time."""
    return [
        Window(clock.start_of(term.starts_on), clock.start_of(term.ends_on + timedelta(days=1)))
        for term in list_terms()
    ]


def find_allowances(user_id: int, kinds: Iterable[Kind], at: datetime) -> QuerySet[Allowance]:
    """The person's counters of these kinds in the windows around `at`, as far as they exist, ordered by id."""
    kinds = list(kinds)
    terms = terms_for(kinds)
    windows = {kind: window_of(kind[1], at, terms) for kind in kinds}
    return Allowance.objects.filter(_counted_in(windows), user=user_id).order_by("id")


def _counted_in(windows: Mapping[Kind, Window]) -> Q:
    """The purses of rules of these kinds in these windows."""
    wanted = Q(pk__in=[])
    for (unit, period, scope), window in windows.items():
        wanted |= Q(unit=unit, period=period, scope=scope, window_start=window.starts_at, purse=Purse.PERIOD)
    return wanted


def _beside(at: datetime) -> Q:
    """Purchases, and grants whose end has not come."""
    return Q(purse=Purse.PURCHASED) | Q(purse=Purse.GRANT, expires_at__gt=at)


def terms_for(kinds: Iterable[Kind]) -> list[Window]:
    """The university's terms, read only where a kind is counted over one."""
    return list_term_windows() if any(period == Period.TERM for _unit, period, _scope in kinds) else []


def list_standings(principal: Principal) -> list[Standing]:
    """Where the person stands under every quota that holds now, nearest to its end first, parts of pools last.

    Two queries, and one more where something is counted by terms.
    """
    at = clock.now()
    rules = [rule for rule in list_rules(principal, at=at) if rule.unit in LEDGER_UNITS]
    terms = terms_for([rule.kind for rule in rules])
    windows = {rule.kind: window_of(rule.period, at, terms) for rule in rules}
    purses = list(Allowance.objects.filter(_counted_in(windows) | _beside(at), user=principal.user_id))
    counters = {row.kind: row for row in purses if row.purse == Purse.PERIOD}
    extras: Counter[tuple[Unit, str]] = Counter()
    for row in purses:
        if row.purse != Purse.PERIOD:
            extras[Unit(row.unit), row.scope] += max(0, row.granted - row.used - row.held)
    standings = [
        standing_of(
            rule,
            counters.get(rule.kind, Allowance()),
            windows[rule.kind],
            extra=extras[rule.unit, rule.scope] if takes_extra(rule, rules) else 0,
        )
        for rule in rules
    ]
    return sorted(standings, key=lambda standing: (standing.scope.startswith(POOL_SCOPE), standing.nearness))


def nearest_standing(principal: Principal) -> Standing:
    """The quota that will end first; an unmetered one only when nothing is metered."""
    return list_standings(principal)[0]


def standing_of(rule: Rule, counters: Counters, window: Window, *, extra: int = 0) -> Standing:
    """The standing under one rule, from the counters of its window and what is left `extra` beside it."""
    return Standing(
        name=name_rule_later(rule.kind, rule.limit),
        unit=rule.unit,
        period=rule.period,
        scope=rule.scope,
        limit=None if rule.limit is None else rule.limit + counters.granted,
        used=counters.used,
        held=counters.held,
        window=window,
        granted=counters.granted,
        extra=extra,
        subject=rule.subject,
    )


def find_reservation(call_id: UUID) -> Reservation | None:
    """The durable row of a call, if it was ever admitted."""
    return Reservation.objects.filter(pk=call_id).first()


def list_open() -> QuerySet[Reservation]:
    """Every reservation that is not at its end, in no order."""
    return Reservation.objects.filter(RawSQL(f"quotas_reservation.{IS_OPEN}", [], BooleanField())).order_by()  # noqa: S611


def count_open(user_id: int) -> int:
    """How many calls of the person are running: open reservations whose lease has not run out."""
    return list_open().filter(user=user_id, lease_until__gt=clock.now()).count()


def list_expired(*, limit: int) -> list[UUID]:
    """The calls whose lease ran out while they were open, oldest lease first."""
    expired = list_open().filter(lease_until__lte=clock.now())
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
    return rules.select_related("department", "course", "user")


def list_visible_grants(principal: Principal, *, person: str = "") -> QuerySet[Grant]:
    """The grants this person may read, all for administrators; `person` narrows to one e-mail address."""
    grants = Grant.objects.exclude(allowance__user=None).select_related("allowance__user", "granted_by")
    if principal.role != Role.ADMIN:
        grants = grants.filter(allowance__user=principal.user_id)
    return grants.filter(allowance__user__email=person.lower()) if person else grants


def list_present_rules(search: str = "", whom: str = "", counts: str = "", state: str = "") -> QuerySet[Quota]:
    """The rules that hold or are to come, each with its `breadth`, from 0 for everyone to 4 for one person.

    Args:
        search: a part of the person's name or e-mail, the course's code or the department's.
        whom: a Subject.
        counts: a Unit.
        state: "in_force" or "to_come"; both without.
    """
    now = clock.now()
    rules = Quota.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now)).filter(
        Q(ends_at=None) | Q(ends_at__gt=F("starts_at"))
    )
    breadth = Case(
        When(user__isnull=False, then=4),
        When(course__isnull=False, then=3),
        When(department__isnull=False, then=2),
        When(~Q(role=""), then=1),
        default=0,
        output_field=SmallIntegerField(),
    )
    rules = rules.annotate(breadth=breadth)
    if wanted := one_line(search):
        places = ("user__name", "user__email", "course__code", "department__code", "department__name")
        rules = rules.filter(reduce(or_, (Q(**{f"{place}__icontains": wanted}) for place in places)))
    if whom:
        rules = rules.filter(_SUBJECTS[Subject(whom)])
    if counts:
        rules = rules.filter(unit=counts)
    if state:
        rules = rules.filter(starts_at__gt=now) if state == "to_come" else rules.filter(starts_at__lte=now)
    return rules.select_related("department", "course", "user", "created_by")


_NOT_NARROWED = Q(user=None, course=None)
_SUBJECTS = {
    Subject.EVERYONE: _NOT_NARROWED & Q(department=None, role=""),
    Subject.ROLE: _NOT_NARROWED & ~Q(role=""),
    Subject.DEPARTMENT: _NOT_NARROWED & Q(department__isnull=False, role=""),
    Subject.COURSE: Q(course__isnull=False),
    Subject.PERSON: Q(user__isnull=False),
}


def find_rule(
    *,
    kind: Kind,
    role: str = "",
    department_id: int | None = None,
    course_id: int | None = None,
    user_id: int | None = None,
    at: datetime | None = None,
) -> Quota | None:
    """The rule in force, now or `at`, for exactly these people, if there is one of its own."""
    unit, period, scope = kind
    rules = list_quotas_in_force(at or clock.now()).filter(unit=unit, period=period, scope=scope)
    return rules.filter(role=role, department=department_id, course=course_id, user=user_id).first()


def find_predecessor(rule: Quota) -> Quota | None:
    """What held for the same people until this rule took its place."""
    unit, period, scope = rule.kind
    role, department_id, course_id, user_id = rule.who
    earlier = Quota.objects.filter(unit=unit, period=period, scope=scope, role=role, ends_at=rule.starts_at)
    earlier = earlier.filter(department=department_id, course=course_id, user=user_id, starts_at__lt=rule.starts_at)
    return earlier.first()


def list_changes(limit: int = 50) -> list[Change]:
    """The newest changes of rules that hold or were taken back, each with the limit before and after it."""
    people = ("department", "course", "user", "created_by", "ended_by")
    rules = list(
        Quota.objects.filter(Q(starts_at__lte=clock.now()) | Q(ends_at=F("starts_at")))
        .select_related(*people)
        .order_by("-starts_at", "-id")[:500]
    )
    begun = [rule for rule in rules if rule.ends_at != rule.starts_at]
    ended = {(rule.who, rule.kind, at): rule for rule in begun if (at := rule.ends_at) and at <= clock.now()}
    changes = []
    for rule in begun:
        before = ended.pop((rule.who, rule.kind, rule.starts_at), None)
        changes.append(Change(rule.starts_at, rule.created_by, before, rule, rule.reason))
    changes += [Change(at, rule.ended_by, rule, None, rule.end_reason) for (*_, at), rule in ended.items()]
    changes += [
        Change(rule.end_decided_at or rule.starts_at, rule.ended_by, rule, None, rule.end_reason)
        for rule in rules
        if rule.ends_at == rule.starts_at
    ]
    return sorted(changes, key=lambda change: change.at, reverse=True)[:limit]


def count_reached(
    *,
    kind: Kind,
    role: str = "",
    department_id: int | None = None,
    course_id: int | None = None,
    user_id: int | None = None,
) -> tuple[int, int]:
    """How many active people a rule would reach, and how many of those it speaks of have a more specific one."""
    people = User.objects.filter(is_active=True)
    if user_id is not None:
        return people.filter(pk=user_id).count(), 0
    people = people.filter(**({"role": role} if role else {}))
    people = people.filter(**({"department": department_id} if department_id is not None else {}))
    unit, period, scope = kind
    rules = list_quotas_in_force(clock.now()).filter(unit=unit, period=period, scope=scope)
    if course_id is not None:
        people = people.filter(pk__in=_enrolled_in(course_id))
    ours = Rule(unit, period, None, role=role, department_id=department_id, course_id=course_id).specificity
    more_specific = Q(pk__in=rules.exclude(user=None).values("user"))
    for rule in rules.filter(user=None):
        if rule.plain.specificity > ours:
            same = Q() if rule.department_id is None else Q(department=rule.department_id)
            same &= Q() if rule.course_id is None else Q(pk__in=_enrolled_in(rule.course_id))
            more_specific |= same & (Q(role=rule.role) if rule.role else Q())
    elsewhere = people.filter(more_specific).count()
    return people.count() - elsewhere, elsewhere


def _enrolled_in(course_id: int) -> QuerySet[Enrollment, Any]:
    return Enrollment.objects.filter(course=course_id).values("user")


# ---- more, when justified --------------------------------------------------------------------------------------------


def list_own_requests(user_id: int) -> QuerySet[Request]:
    """What the person asked for, the newest first."""
    return Request.objects.filter(user=user_id).select_related("course", "decided_by", "grant")


def list_decidable_requests(principal: Principal) -> QuerySet[Request]:
    """The requests this person may decide or could have: administrators all, instructors those in courses they teach.

    Nobody decides about their own.
    """
    asked = Request.objects.select_related("user", "course", "decided_by", "grant").exclude(user=principal.user_id)
    if principal.role == Role.ADMIN:
        return asked
    return asked.filter(course__in=[course.pk for course in list_taught_courses(principal.user_id)])


def list_waiting(asked: QuerySet[Request], *, first: int | None) -> QuerySet[Request]:
    """Those of these requests that are open, who asked first before the others; `first` of all the one of this id."""
    is_first = Case(When(pk=first or 0, then=0), default=1, output_field=SmallIntegerField())
    return asked.filter(state=RequestState.OPEN).order_by(is_first, "asked_at", "id")


def search_requests(asked: QuerySet[Request], search: str = "", state: str = "", counts: str = "") -> QuerySet[Request]:
    """Those of these requests whose person or course matches `search`, in this state, of this unit."""
    if wanted := one_line(search):
        places = ("user__name", "user__email", "course__code")
        asked = asked.filter(reduce(or_, (Q(**{f"{place}__icontains": wanted}) for place in places)))
    return asked.filter(**{name: value for name, value in (("state", state), ("unit", counts)) if value})


def list_visible_requests(principal: Principal, *, state: str = "") -> QuerySet[Request]:
    """The person's own requests and those they may decide, the newest first.

    Args:
        state: narrows to requests in this state.
    """
    asked = Request.objects.select_related("user", "course", "decided_by", "grant").order_by("-asked_at", "-id")
    if principal.role != Role.ADMIN:
        taught = [course.pk for course in list_taught_courses(principal.user_id)]
        asked = asked.filter(Q(user=principal.user_id) | Q(course__in=taught))
    return asked.filter(state=state) if state else asked


def get_decidable_request(principal: Principal, request_id: int, *, lock: bool = False) -> Request:
    """The open request of this id, if the person may decide it.

    Raises:
        NotFound: there is none, or it is somebody else's to decide, or decided: they look the same.
    """
    asked = list_decidable_requests(principal).filter(pk=request_id, state=RequestState.OPEN)
    found = (asked.select_for_update(of=("self",)) if lock else asked).first()
    if found is None:
        raise NotFound(_("There is no such request waiting for you. It may have been decided in the meantime."))
    return found


def list_given_by_instructors(course: Course | None, *, unit: Unit, since: datetime) -> QuerySet[Grant]:
    """What instructors have given of a unit in a course since then."""
    given = Grant.objects.filter(course=course, allowance__unit=unit, at__gte=since)
    return given.exclude(allowance__purse=Purse.POOL).filter(granted_by__role=Role.INSTRUCTOR)


def list_approver_limits() -> list[ApproverLimit]:
    """How much instructors may give, by unit."""
    return list(ApproverLimit.objects.all())


def list_offers() -> QuerySet[Offer]:
    """What may be bought now."""
    return Offer.objects.filter(is_enabled=True)


def list_all_offers(state: str = "", counts: str = "") -> QuerySet[Offer]:
    """Everything that was ever offered.

    Args:
        state: "sold" or "withdrawn".
        counts: a Unit.
    """
    narrowed = {"is_enabled": state == "sold"} if state else {}
    return Offer.objects.filter(**narrowed | ({"unit": counts} if counts else {}))


def list_visible_offers(principal: Principal) -> QuerySet[Offer]:
    """What this person may read of it: administrators all, everyone else what is for sale."""
    return list_all_offers() if principal.role == Role.ADMIN else list_offers()


def get_open_test_purchase(principal: Principal, reference: UUID) -> Purchase:
    """The person's purchase that is not paid, where the test service is the one that is paid.

    Raises:
        NotFound: there is none, it is paid or somebody else's, or real money is asked for here.
    """
    mine = Purchase.objects.filter(reference=reference, user=principal.user_id, state=PurchaseState.OPEN)
    purchase = mine.first() if settings.PAYMENT_SERVICE == "test" else None
    if purchase is None:
        raise NotFound
    return purchase


def list_purchases(user_id: int) -> QuerySet[Purchase]:
    """What the person bought, the newest first."""
    return Purchase.objects.filter(user=user_id, state=PurchaseState.PAID)


def list_visible_purchases(principal: Principal) -> QuerySet[Purchase]:
    """What was bought or begun to be: everyone's for administrators, else the person's own."""
    purchases = Purchase.objects.select_related("user")
    return purchases if principal.role == Role.ADMIN else purchases.filter(user=principal.user_id)


def list_warnings(user_id: int, window: Window) -> list[Warned]:
    """What the person was told about purses of windows that began in this one, the newest first."""
    told = Warned.objects.filter(allowance__user=user_id, allowance__window_start__gte=window.starts_at)
    if window.ends_at is not None:
        told = told.filter(allowance__window_start__lt=window.ends_at)
    return list(told.select_related("allowance").order_by("-id"))


def list_pools(search: str = "", state: str = "", counts: str = "") -> QuerySet[Pool]:
    """Every course's pool, with its counters as `held`, `used` and `granted` and what one student may take as `cap`.

    Args:
        search: a part of the course's code or title.
        state: "open" or "closed".
        counts: a Unit.
    """
    purse = Allowance.objects.filter(course=OuterRef("course"), unit=OuterRef("unit"), purse=Purse.POOL)
    counters = {name: Coalesce(Subquery(purse.values(name)[:1]), 0) for name in ("granted", "used", "held")}
    caps = list_quotas_in_force(clock.now()).filter(
        scope=Concat(Value(POOL_SCOPE), OuterRef("course__code")), unit=OuterRef("unit"), course=OuterRef("course")
    )
    cap = Subquery(caps.values("limit")[:1])
    pools = Pool.objects.select_related("course").annotate(**counters, cap=cap).order_by("course__code")
    if wanted := one_line(search):
        pools = pools.filter(Q(course__code__icontains=wanted) | Q(course__title__icontains=wanted))
    narrowed = {"is_open": state == "open"} if state else {}
    return pools.filter(**narrowed | ({"unit": counts} if counts else {}))


def list_visible_pools(principal: Principal) -> QuerySet[Pool]:
    """The pools this person may read: administrators all, instructors those of the courses they teach."""
    if principal.role == Role.ADMIN:
        return list_pools()
    return list_pools().filter(course__in=[course.pk for course in list_taught_courses(principal.user_id)])
