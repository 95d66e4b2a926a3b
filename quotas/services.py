"""The ledger: the only writer of reservations, allowances, entries, grants and rules.

Every function is plain synchronous code in one transaction. Those on a call's way join the caller's transaction without
a savepoint of their own: whoever runs many calls in one transaction sets a savepoint around each. An arrow of a
reservation's life is one `UPDATE … WHERE state = expected` and one entry per allowance it moves; a second attempt finds
another state and does nothing. Locks are taken in one order everywhere: person (reversals only), reservation, then
allowances by id.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, Value
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from core.errors import InvalidRequest, NotFound
from core.text import one_line
from core.types import Operation, Via
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, Grant, LedgerEntry, Quota, Reservation
from quotas.selectors import default_quota, find_allowances, list_expired, list_rules, standing_of
from quotas.types import (
    HOLDING_STATES,
    LARGEST_AMOUNT,
    MODEL_SCOPE,
    OPEN_STATES,
    EntryKind,
    Kind,
    Period,
    Reserved,
    State,
    Unit,
)
from quotas.windows import window_of

# A running call renews its lease three times in its length; one silent this long has no worker any more (C05).
LEASE = timedelta(seconds=settings.LEASE_SECONDS)
AUTOMATIC_REVERSALS_A_DAY = 5  # D3

_NEVER = datetime.max.replace(tzinfo=UTC)
_joined = transaction.atomic(savepoint=False)


# ---- a call's way through the ledger ---------------------------------------------------------------------------------


@_joined
def reserve(
    *,
    call_id: UUID,
    principal: Principal,
    amounts: Mapping[Unit, int],
    operation: Operation,
    model: str,
    course_code: str,
    via: Via,
) -> Reserved:
    """Hold `amounts` under every quota that covers the call, or nothing at all (D12).

    Args:
        amounts: an upper bound of what the call will use, per unit; a unit that is left out or 0 is not counted.
        model: the AI model's name in the catalog.

    Raises:
        QuotaExhausted: a quota has no room. The caller's transaction must roll back.
    """
    at = clock.now()
    rules = {
        rule.kind: rule
        for rule in list_rules(principal, at=at)
        if amounts.get(Unit(rule.unit), 0) > 0 and rule.covers(operation, model)
    }
    allowances = _lock_allowances(principal.user_id, list(rules), at)
    needed = {kind: amounts[Unit(rule.unit)] for kind, rule in rules.items()}
    full = [a for a in allowances if not _hold(a, needed[a.kind], limit=rules[a.kind].limit)]
    if full:
        # The one that will have room last: only then may the person go on.
        standings = [standing_of(rules[allowance.kind], allowance, at) for allowance in full]
        raise QuotaExhausted(max(standings, key=lambda standing: standing.window.ends_at or _NEVER))
    reservation = Reservation.objects.create(
        call_id=call_id,
        user_id=principal.user_id,
        operation=operation,
        model=model,
        course_code=course_code,
        via=via,
        key_id=principal.key_id,
        created_at=at,
        lease_until=at + LEASE,
    )
    entries = []
    for allowance in allowances:
        rule = rules[allowance.kind]
        entry = _entry(allowance, EntryKind.RESERVE, at, held=needed[allowance.kind])
        entry.reservation, entry.quota, entry.limit_then = reservation, rule if rule.pk else None, rule.limit
        entries.append(entry)
    LedgerEntry.objects.bulk_create(entries)
    standings = [standing_of(rules[allowance.kind], allowance, at) for allowance in allowances]
    return Reserved(call_id, tuple(sorted(standings, key=lambda standing: standing.nearness)))


@_joined
def dispatch(*, call_id: UUID) -> bool:
    """The call is about to go upstream: held → dispatched. True when this call moved it."""
    return _advance(call_id, (State.HELD,), state=State.DISPATCHED, dispatched_at=clock.now())


@_joined
def settle(*, call_id: UUID, amounts: Mapping[Unit, int] | None = None) -> bool:
    """The first content arrived, or the client left after dispatch: what was held is used (D2).

    Args:
        amounts: the actual figures where they are known already; what is left out settles at what was held.

    Returns:
        True when this call moved it: dispatched → settled.
    """
    at = clock.now()
    if not _advance(call_id, (State.DISPATCHED,), state=State.SETTLED, settled_at=at):
        return False
    actual = amounts or {}
    _move(
        call_id,
        EntryKind.SETTLE,
        at,
        lambda unit, used, held: (max(0, actual.get(unit, held)), -held),
    )
    return True


@_joined
def close(*, call_id: UUID, amounts: Mapping[Unit, int] | None = None) -> bool:
    """The reply ended: settled → closed.

    Args:
        amounts: the figures known only at the end (tokens, money); a difference is posted as an adjustment (D13).

    Returns:
        True when this call moved it.
    """
    at = clock.now()
    if not _advance(call_id, (State.SETTLED,), state=State.CLOSED, ended_at=at):
        return False
    if amounts:
        _move(
            call_id,
            EntryKind.ADJUSTMENT,
            at,
            lambda unit, used, held: (max(0, amounts.get(unit, used)) - used, 0),
        )
    return True


@_joined
def release(*, call_id: UUID) -> bool:
    """Nothing came of the call: held or dispatched → released. True when this call moved it."""
    return _give_back(call_id, EntryKind.RELEASE)


@_joined
def reverse(*, call_id: UUID) -> bool:
    """The provider failed after the first content: settled → reversed, what was used comes back (D3).

    Beyond the automatic reversals of the person's day the call is closed instead, as used, and a person decides.

    Returns:
        True when this call moved it to reversed.
    """
    at = clock.now()
    # Reversals of one person wait for each other here, so that two cannot both be the fifth.
    owner = Reservation.objects.filter(pk=call_id).values("user")
    user = User.objects.select_for_update(no_key=True).filter(pk__in=owner).first()
    if user is None:
        return False
    today = window_of(Period.DAY, at)
    reversed_today = Reservation.objects.filter(user=user, state=State.REVERSED, ended_at__gte=today.starts_at)
    if reversed_today.count() >= AUTOMATIC_REVERSALS_A_DAY:
        _advance(call_id, (State.SETTLED,), state=State.CLOSED, ended_at=at)
        return False
    if not _advance(call_id, (State.SETTLED,), state=State.REVERSED, ended_at=at):
        return False
    _move(call_id, EntryKind.REVERSE, at, lambda unit, used, held: (-used, 0))
    return True


def renew(*, call_ids: Collection[UUID]) -> None:
    """Keep running calls from being swept: their leases run for another `LEASE`. One statement."""
    open_calls = Reservation.objects.filter(pk__in=call_ids, state__in=OPEN_STATES)
    open_calls.update(lease_until=clock.now() + LEASE)


def expire_reservations(*, limit: int = 500) -> list[Reservation]:
    """End the calls whose worker died: `expire` for each, a transaction for each, so that no lock outlives its row.

    Args:
        limit: at most so many, oldest first.

    Returns:
        The reservations this sweeper ended; another sweeper's are not among them.
    """
    ended = (expire(call_id=call_id) for call_id in list_expired(limit=limit))
    return [reservation for reservation in ended if reservation is not None]


@_joined
def expire(*, call_id: UUID) -> Reservation | None:
    """The lease ran out: given back when nothing had come (D5), closed when content had.

    Returns:
        The reservation when this call ended it; None when it is alive again, or another sweeper was first.
    """
    at = clock.now()
    over = Q(lease_until__lte=at)
    if _give_back(call_id, EntryKind.EXPIRE, over) or _advance(
        call_id, (State.SETTLED,), over, state=State.CLOSED, ended_at=at
    ):
        return Reservation.objects.get(pk=call_id)
    return None


# ---- rules and grants ------------------------------------------------------------------------------------------------


@transaction.atomic
def grant(
    *,
    user_id: int,
    amount: int,
    reason: str,
    by_id: int | None,
    unit: Unit = Unit.PROMPTS,
    period: Period = Period.MONTH,
    scope: str = "",
) -> Grant:
    """Give a person extra units in the present window of one kind of quota.

    Raises:
        InvalidRequest: the amount or the reason is missing or out of range, or the scope names nothing.
        NotFound: there is no such person.
    """
    at = clock.now()
    _check_amount(amount, least=1, param="amount")
    check_scope(scope)
    reason = _check_reason(reason)
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("There is no such person."))
    kind = (unit, period, scope)
    principal = Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id)
    rule = next((rule for rule in list_rules(principal, at=at) if rule.kind == kind), None)
    (allowance,) = _lock_allowances(user_id, [kind], at)
    given = Grant.objects.create(allowance=allowance, amount=amount, reason=reason, granted_by_id=by_id, at=at)
    Allowance.objects.filter(pk=allowance.pk).update(granted=F("granted") + amount)
    allowance.granted += amount
    entry = _entry(allowance, EntryKind.GRANT, at, granted=amount)
    entry.grant, entry.actor_id, entry.reason = given, by_id, reason
    entry.quota, entry.limit_then = (rule if rule and rule.pk else None), (rule.limit if rule else None)
    entry.save()
    return given


def set_quota(
    *,
    limit: int | None,
    unit: Unit = Unit.PROMPTS,
    period: Period = Period.MONTH,
    role: Role | str = "",
    user_id: int | None = None,
    department_id: int | None = None,
    scope: str = "",
    by_id: int | None = None,
    reason: str = "",
) -> Quota:
    """Put a rule in force from now on, in place of the one of the same kind for the same people.

    What people have used stays as it is (D8). A rule that says the same already is left alone.

    Args:
        limit: in `unit`s per window; None means unmetered, 0 means nothing at all.
        role, department_id: whom it is for; both mean that role in that department, neither means everyone.
        user_id: one person; stands alone.

    Raises:
        InvalidRequest: a value is out of range, or someone changed the same rule in the same moment.
    """
    if limit is not None:
        _check_amount(limit, least=0, param="limit")
    check_scope(scope)
    if user_id is not None and (role or department_id is not None):
        raise InvalidRequest(_("A rule for one person names neither a role nor a department."), param="user")
    key: dict[str, Any] = {"unit": unit, "period": period, "scope": scope, "role": role}
    key |= {"user_id": user_id, "department_id": department_id}
    reason = one_line(reason, longest=240)
    try:
        with transaction.atomic():
            return _replace_quota(key, limit=limit, by_id=by_id, reason=reason)
    except IntegrityError as error:
        raise InvalidRequest(
            _("This rule was changed by someone else in the same moment, or its person or department is gone.")
        ) from error


def _replace_quota(key: Mapping[str, Any], *, limit: int | None, by_id: int | None, reason: str) -> Quota:
    at = clock.now()
    present = Quota.objects.select_for_update().filter(**key, ends_at=None).first()
    if present is not None:
        if present.limit == limit:
            return present
        _end_quota(present, at=at, by_id=by_id, reason=reason)
    return Quota.objects.create(**key, limit=limit, starts_at=at, created_by_id=by_id, created_at=at, reason=reason)


@transaction.atomic
def withdraw_quota(*, quota_id: int, by_id: int | None, reason: str) -> Quota:
    """End a rule without a successor: the next less specific one holds from now on.

    Raises:
        NotFound: there is no such rule in force.
        InvalidRequest: no reason is given.
    """
    reason = _check_reason(reason)
    rule = Quota.objects.select_for_update().filter(pk=quota_id, ends_at=None).first()
    if rule is None:
        raise NotFound(_("There is no such rule in force. It may have been changed since you opened the page."))
    _end_quota(rule, at=clock.now(), by_id=by_id, reason=reason)
    return rule


def install_default_quota() -> None:
    """Write down the product's own rule, so that it can be seen and changed, where no rule was ever written."""
    if not Quota.objects.exists():
        rule = default_quota()
        set_quota(limit=rule.limit, unit=Unit(rule.unit), period=Period(rule.period), reason=_("The first rule."))


def check_scope(scope: str) -> None:
    """Refuse a scope that names nothing.

    Raises:
        InvalidRequest: it is neither empty, nor an operation, nor model:NAME.
    """
    named = scope.startswith(MODEL_SCOPE) and scope != MODEL_SCOPE
    if scope and scope not in Operation.values and not named:
        raise InvalidRequest(
            _("“%(scope)s” is neither a tool nor model:NAME. Leave it empty to cover everything.") % {"scope": scope},
            param="scope",
        )


# ---- inside ----------------------------------------------------------------------------------------------------------


def _lock_allowances(user_id: int, kinds: Sequence[Kind], at: datetime) -> list[Allowance]:
    """The person's allowances of these kinds in their present windows, made where missing, locked in order of id."""
    wanted = find_allowances(user_id, kinds, at).select_for_update()
    found = list(wanted)
    if len(found) < len(kinds):
        missing = sorted(set(kinds) - {allowance.kind for allowance in found})
        # Many may come first at once: the constraint lets one insert win, the others wait for it and find its row.
        Allowance.objects.bulk_create(
            [
                Allowance(
                    user_id=user_id,
                    unit=unit,
                    period=period,
                    scope=scope,
                    window_start=window_of(period, at).starts_at,
                )
                for unit, period, scope in missing
            ],
            ignore_conflicts=True,
        )
        found = list(wanted.all())
    return found


def _hold(allowance: Allowance, amount: int, *, limit: int | None) -> bool:
    """Hold `amount` if there is room: the one conditional update that decides (C02)."""
    room = Allowance.objects.filter(pk=allowance.pk)
    if limit is not None:
        room = room.filter(used__lte=Value(limit - amount) + F("granted") - F("held"))
    held = room.update(held=F("held") + amount) == 1
    if held:
        allowance.held += amount
    return held


def _advance(call_id: UUID, expected: Collection[State], condition: Q | None = None, **changes: object) -> bool:
    """One arrow: true when the reservation was in an `expected` state and is now what `changes` say."""
    reservation = Reservation.objects.filter(condition or Q(), pk=call_id, state__in=expected)
    return reservation.update(**changes) == 1


def _give_back(call_id: UUID, kind: EntryKind, condition: Q | None = None) -> bool:
    at = clock.now()
    moved = _advance(call_id, HOLDING_STATES, condition, state=State.RELEASED, ended_at=at)
    if moved:
        _move(call_id, kind, at, lambda unit, used, held: (0, -held))
    return moved


def _move(call_id: UUID, kind: EntryKind, at: datetime, change: Callable[[Unit, int, int], tuple[int, int]]) -> None:
    """Move every allowance the call touches, with one entry each.

    Args:
        change: from the unit, and what the call has used and holds in it, to the change of the two.
    """
    before: dict[int, list[LedgerEntry]] = {}
    for entry in LedgerEntry.objects.filter(reservation=call_id):
        before.setdefault(entry.allowance_id, []).append(entry)
    entries = []
    for allowance in Allowance.objects.select_for_update().filter(pk__in=before).order_by("id"):
        earlier = before[allowance.pk]
        used, held = change(
            Unit(allowance.unit), sum(e.delta_used for e in earlier), sum(e.delta_held for e in earlier)
        )
        if not used and not held:
            continue
        Allowance.objects.filter(pk=allowance.pk).update(used=F("used") + used, held=F("held") + held)
        allowance.used += used
        allowance.held += held
        entry = _entry(allowance, kind, at, used=used, held=held)
        # The rule of the admission goes with the call to its end.
        entry.quota_id, entry.limit_then = earlier[0].quota_id, earlier[0].limit_then
        entry.reservation_id = call_id
        entries.append(entry)
    LedgerEntry.objects.bulk_create(entries)


def _entry(
    allowance: Allowance, kind: EntryKind, at: datetime, *, used: int = 0, held: int = 0, granted: int = 0
) -> LedgerEntry:
    """One movement of an allowance whose counters hold it already."""
    return LedgerEntry(
        allowance=allowance,
        kind=kind,
        at=at,
        delta_used=used,
        delta_held=held,
        delta_granted=granted,
        used_after=allowance.used,
        held_after=allowance.held,
        granted_after=allowance.granted,
    )


def _end_quota(rule: Quota, *, at: datetime, by_id: int | None, reason: str) -> None:
    rule.ends_at, rule.ended_by_id, rule.end_reason = at, by_id, reason
    rule.save(update_fields=["ends_at", "ended_by", "end_reason"])


def _check_amount(amount: int, *, least: int, param: str) -> None:
    if not least <= amount <= LARGEST_AMOUNT:
        raise InvalidRequest(
            _("Write a whole number from %(least)s to %(most)s.") % {"least": least, "most": LARGEST_AMOUNT},
            param=param,
        )


def _check_reason(reason: str) -> str:
    reason = one_line(reason, longest=240)
    if not reason:
        raise InvalidRequest(
            _("Write the reason. It is kept with the change and shown in its history."), param="reason"
        )
    return reason
