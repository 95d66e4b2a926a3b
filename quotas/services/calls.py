"""A call's way through the ledger: reserve, dispatch, settle, close, or back; each a batch of one.

Those functions join the caller's transaction. What each arrow does is said in quotas.services.batches.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import transaction

from accounts.types import Principal
from core import clock
from core.types import Operation, Via
from quotas.models import Reservation
from quotas.resolution import Asked
from quotas.selectors import list_expired, list_ways_of
from quotas.services.batches import LEASE, Wish, open_batch
from quotas.types import OPEN_STATES, Reserved, Unit


def reserve(
    *,
    call_id: UUID,
    principal: Principal,
    amounts: Mapping[Unit, int],
    operation: Operation,
    model: str,
    course_code: str,
    via: Via,
    course_id: int | None = None,
) -> Reserved:
    """Hold `amounts` under every quota that covers the call, or nothing at all (D12).

    Args:
        amounts: an upper bound of what the call will use, per unit; a unit that is left out or 0 is not counted.
        model: the AI model's name in the catalog.
        course_id: the course of that code; its pool pays, if it has one.

    Raises:
        QuotaExhausted: a quota has no room. Nothing is held.
    """
    at = clock.now()
    ways = list_ways_of(principal, Asked(operation, model, amounts, course_id), at=at)
    wish = Wish(call_id, principal, ways, operation, model, course_code, via)
    with open_batch(at=at, wishes=[wish]) as batch:
        return batch.reserve(wish)


def dispatch(*, call_id: UUID) -> bool:
    """The call is about to go upstream: held → dispatched. True when this call moved it."""
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        return batch.dispatch(call_id)


def settle(*, call_id: UUID, amounts: Mapping[Unit, int] | None = None) -> bool:
    """The first content arrived, or the client left after dispatch: what was held is used (D2).

    Args:
        amounts: the actual figures where they are known already; what is left out settles at what was held.

    Returns:
        True when this call moved it: dispatched → settled.
    """
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        return batch.settle(call_id, amounts)


def close(*, call_id: UUID, amounts: Mapping[Unit, int] | None = None) -> bool:
    """The reply ended: settled → closed.

    Args:
        amounts: the figures known only at the end (tokens, money); a difference is posted as an adjustment (D13).

    Returns:
        True when this call moved it.
    """
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        return batch.close(call_id, amounts)


def release(*, call_id: UUID) -> bool:
    """Nothing came of the call: held or dispatched → released. True when this call moved it."""
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        return batch.release(call_id)


def reverse(*, call_id: UUID) -> bool:
    """The provider failed after the first content: settled → reversed, what was used comes back (D3).

    Beyond the automatic reversals of the person's day the call is closed instead, as used, and a person decides.

    Returns:
        True when this call moved it to reversed.
    """
    with open_batch(at=clock.now(), calls=[call_id], reversing=[call_id]) as batch:
        return batch.reverse(call_id)


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


@transaction.atomic(savepoint=False)
def expire(*, call_id: UUID) -> Reservation | None:
    """The lease ran out: given back when nothing had come (D5), closed when content had.

    Returns:
        The reservation when this call ended it; None when it is alive again, or another sweeper was first.
    """
    with open_batch(at=clock.now(), calls=[call_id]) as batch:
        is_ended = batch.expire(call_id)
    return Reservation.objects.get(pk=call_id) if is_ended else None
