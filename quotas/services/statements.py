"""The ledger's reads by hand: what a whole batch of calls needs, in one statement each, locked where it will be moved.

To be run in the order of these functions (decision 0020): people, reservations, purses by id. A question about nothing
is no statement.

Each key is looked up by itself, in a subquery or in an array, and never joined to a table: as long as PostgreSQL knows
nothing of a table, as in a new installation, it takes the keys of a batch for many and would read all of it.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from uuid import UUID

from accounts.models import User
from core.rows import IS_SQLITE, Fields, Statement, fields_of, given, pack
from quotas.models import IS_OPEN, Allowance, LedgerEntry, Reservation
from quotas.types import Period, Purse, State, Unit
from quotas.windows import window_of

# One person's purse of a rule's window: person, unit, period, scope, beginning of the window.
PeriodKey = tuple[int, Unit, Period, str, datetime]

_PURSE = ("id", "user", "course", "purse", "unit", "period", "scope", "window_start", "expires_at", "granted")
_COUNTERS = ("used", "held")

_PERIOD_KEY = ("user", "unit", "period", "scope", "window_start")
_SWITCHES = ", ".join(
    f"set_config('{name}', 'off', true)" for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
)


def use_indexes() -> Statement | None:
    """Keeps PostgreSQL from reading whole tables to the end of the transaction, in the updates of the batch as well.

    A plan is kept for long (decision 0014), and the one that was made while a table was empty reads all of it. What is
    switched off is given a price so high that PostgreSQL would compile the statement, each time anew, for longer than
    it runs: that is switched off, too.
    """
    return None if IS_SQLITE else Statement(f"select {_SWITCHES}", [], ())


def lock_people_of(call_ids: Collection[UUID]) -> Statement | None:
    """Makes whoever counts something of these calls' people wait for each other."""
    if not call_ids or IS_SQLITE:
        return None
    call = fields_of(Reservation, "call_id")
    people = f"select user_id from quotas_reservation where {_among('call_id', call)}"
    return Statement(_lock("id", "accounts_user", "id", people), [_pack_calls(call_ids)], fields_of(User, "id"))


def lock_reservations(call_ids: Collection[UUID]) -> Statement | None:
    """Each call's id, person, state and lease."""
    if not call_ids:
        return None
    fields = fields_of(Reservation, "call_id", "user", "state", "lease_until")
    wanted = f"select c0 from {given('g', fields[:1])}"
    statement = _lock("call_id, user_id, state, lease_until", "quotas_reservation", "call_id", wanted)
    return Statement(statement, [_pack_calls(call_ids)], fields)


def make_purses(keys: Collection[PeriodKey]) -> Statement | None:
    """Makes the purses that are missing. Many may come first at once: one insert wins, the others find its row."""
    return Statement(_write_making(), [pack(fields_of(Allowance, *_PERIOD_KEY), keys)]) if keys else None


def lock_purses(
    keys: Collection[PeriodKey],
    *,
    owners: Collection[int] = (),
    course_ids: Collection[int] = (),
    call_ids: Collection[UUID] = (),
) -> Statement | None:
    """The purses of these keys, every extra one of these owners, these courses' pools, and what the calls have used."""
    parts = []
    parameters = []
    if keys:
        parts.append(_find_by_key())
        parameters.append(pack(fields_of(Allowance, *_PERIOD_KEY), keys))
    for purse in (Purse.GRANT, Purse.PURCHASED) if owners else ():
        parts.append(_find_by("user", purse))
        parameters.append(pack(fields_of(Allowance, "user"), [(user_id,) for user_id in owners]))
    if course_ids:
        parts.append(_find_by("course", Purse.POOL))
        parameters.append(pack(fields_of(Allowance, "course"), [(course_id,) for course_id in course_ids]))
    if call_ids:
        parts.append(_find_by_call())
        parameters.append(_pack_calls(call_ids))
    fields = fields_of(Allowance, *_PURSE, *_COUNTERS)
    return Statement(_write_locking(fields, tuple(parts)), parameters, fields) if parts else None


def list_movements(call_ids: Collection[UUID]) -> Statement | None:
    """What each call has in each purse, in the order in which they were filled.

    Returns:
        call, purse, rule, the rule's limit then, what it has used there, what it holds there.
    """
    if not call_ids:
        return None
    fields = fields_of(LedgerEntry, "reservation", "allowance", "quota", "limit_then", "delta_used", "delta_held")
    statement = (
        "select reservation_id, allowance_id, min(quota_id), min(limit_then), "
        "cast(sum(delta_used) as bigint), cast(sum(delta_held) as bigint) from quotas_ledgerentry "
        f"where {_among('reservation_id', fields[:1])} "
        "group by reservation_id, allowance_id order by min(id)"
    )
    return Statement(statement, [_pack_calls(call_ids)], fields)


def count_open(user_ids: Collection[int], *, at: datetime) -> Statement | None:
    """How many calls of each person are running: person, number, when the first lease of these ends."""
    if not user_ids:
        return None
    person, lease = fields_of(Reservation, "user"), fields_of(Reservation, "lease_until")
    theirs = f"from quotas_reservation r where r.user_id = g.c0 and r.{IS_OPEN} and r.lease_until > m.c0"
    statement = (
        f"select g.c0, (select count(*) {theirs}), (select min(r.lease_until) {theirs}) "
        f"from {given('m', lease)}, {given('g', person)}"
    )
    parameters = [pack(lease, [(at,)]), pack(person, [(user_id,) for user_id in user_ids])]
    return Statement(statement, parameters, (*person, *person, *lease))


def count_reversed(call_ids: Collection[UUID], *, at: datetime) -> Statement | None:
    """How many calls of each of these calls' people were given back after their first content on the day of `at`."""
    if not call_ids:
        return None
    call, person, end = (fields_of(Reservation, name) for name in ("call_id", "user", "ended_at"))
    people = f"select user_id from quotas_reservation where {_among('call_id', call)}"
    statement = (
        f"select user_id, count(*) from quotas_reservation where user_id in ({people}) "
        f"and state = '{State.REVERSED.value}' and ended_at >= (select c0 from {given('m', end)}) group by user_id"
    )
    morning = window_of(Period.DAY, at).starts_at
    return Statement(statement, [_pack_calls(call_ids), pack(end, [(morning,)])], (*person, *person))


@cache
def _write_making() -> str:
    key = fields_of(Allowance, *_PERIOD_KEY)
    columns = ", ".join(field.name for field in key)
    return (
        f"insert into quotas_allowance ({columns}, purse, granted, used, held) "
        f"select c0, c1, c2, c3, c4, '{Purse.PERIOD.value}', 0, 0, 0 from {given('g', key)} "
        f"where ({_find_of('g')}) is null order by 1, 2, 3, 4, 5 on conflict do nothing"
    )


@cache
def _write_locking(fields: Fields, parts: tuple[str, ...]) -> str:
    return _lock(", ".join(field.name for field in fields), "quotas_allowance", "id", " union all ".join(parts))


@cache
def _find_by_key() -> str:
    return f"select ({_find_of('k')}) from {given('k', fields_of(Allowance, *_PERIOD_KEY))}"


@cache
def _find_by(owner: str, purse: Purse) -> str:
    (key,) = fields = fields_of(Allowance, owner)
    return f"select id from quotas_allowance where {_among(key.name, fields)} and purse = '{purse.value}'"


@cache
def _find_by_call() -> str:
    call = fields_of(Reservation, "call_id")
    return f"select allowance_id from quotas_ledgerentry where {_among('reservation_id', call)}"


def _find_of(given_keys: str) -> str:
    """SQL of the id of the purse that a row of given keys names."""
    key = fields_of(Allowance, *_PERIOD_KEY)
    same = " and ".join(f"a.{field.name} = {given_keys}.c{place}" for place, field in enumerate(key))
    return f"select a.id from quotas_allowance a where {same} and a.purse = '{Purse.PERIOD.value}'"


def _pack_calls(call_ids: Collection[UUID]) -> str:
    return pack(fields_of(Reservation, "call_id"), [(call_id,) for call_id in call_ids])


def _among(column: str, key: Fields) -> str:
    """SQL of the condition that a column is one of the keys that come as a parameter."""
    keys = f"select c0 from {given('g', key)}"
    return f"{column} in ({keys})" if IS_SQLITE else f"{column} = any(array({keys}))"


def _lock(columns: str, table: str, key: str, wanted: str) -> str:
    """SQL of the rows whose keys the query `wanted` gives, locked in the order of the key.

    PostgreSQL is to have the keys before it looks for the rows. Joined to them by `in (...)`, a row that was waited for
    is joined once more, and is lost where the plan first makes the keys unique, as it does when the table is large: a
    pool would pay nothing, a call would not be found.
    """
    if IS_SQLITE:
        return f"select {columns} from {table} where {key} in ({wanted}) order by {key}"
    return f"select {columns} from {table} where {key} = any(array({wanted})) order by {key} for no key update"
