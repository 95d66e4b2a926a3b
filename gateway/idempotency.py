"""The first answer under an Idempotency-Key, kept for 24 hours (contract, C19).

Only an answer that was served is kept: who was refused, or failed by the provider, was given the prompt back, and the
same key may try again. So may whose server died, once its lease has run out: until then nobody knows that it did.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from core import clock
from gateway.errors import IdempotencyInFlight, IdempotencyMismatch
from gateway.models import IdempotencyKey
from gateway.types import Answer, Claim
from quotas.selectors import find_reservation
from quotas.services import LEASE
from quotas.types import OPEN_STATES, State

KEPT = timedelta(hours=24)
_GIVEN_BACK = (State.RELEASED, State.REVERSED)  # nobody answers, or will


@transaction.atomic
def take(user_id: int, claim: Claim, *, call_id: UUID) -> Answer | None:
    """Take the key for this call, which may have it already; or the first call's answer, if there is one.

    Raises:
        IdempotencyMismatch: the key came with another body.
        IdempotencyInFlight: the first call is still running.
    """
    taken = {"fingerprint": claim.fingerprint, "call_id": call_id}
    rows = IdempotencyKey.objects.select_for_update()
    row, is_new = rows.get_or_create(user_id=user_id, route=claim.route, key=claim.key, defaults=taken)
    if is_new or row.call_id == call_id:
        return None
    if not _is_over(row):
        if row.fingerprint != claim.fingerprint:
            raise IdempotencyMismatch
        if row.status is None:
            raise IdempotencyInFlight
        return Answer(row.headers["content-type"], bytes(row.body))
    row.delete()
    IdempotencyKey.objects.create(user_id=user_id, route=claim.route, key=claim.key, **taken)
    return None


def lock(call_ids: Collection[UUID]) -> set[UUID]:
    """Those of the calls that still have the key they took; nobody else takes it before the transaction ends."""
    rows = IdempotencyKey.objects.select_for_update().filter(call_id__in=call_ids, status=None)
    return set(rows.values_list("call_id", flat=True))


def keep(call_id: UUID, answer: Answer) -> None:
    """Remember what the call was answered with."""
    IdempotencyKey.objects.filter(call_id=call_id, status=None).update(
        status=200, headers={"content-type": answer.kind}, body=answer.body
    )


def forget(*call_ids: UUID) -> None:
    """The calls came to nothing: their keys are free."""
    IdempotencyKey.objects.filter(call_id__in=call_ids, status=None).delete()


def purge() -> None:
    """Drop what nobody may ask for any more."""
    over = IdempotencyKey.objects.filter(created_at__lt=clock.now() - KEPT)
    if over.exists():  # SQLite's one lock for writers is not asked for in vain
        over.delete()


def _is_over(row: IdempotencyKey) -> bool:
    """Whether the key is free again: after 24 hours, or when nothing came of the call that took it."""
    now = clock.now()
    if row.status is not None:
        return now >= row.created_at + KEPT
    reservation = find_reservation(row.call_id)
    if reservation is None:
        return now >= row.created_at + LEASE  # taken a moment ago, not yet admitted
    if reservation.state in _GIVEN_BACK:
        return True
    # An answer is kept just after its call has ended: the lease is that of the process that answers.
    return reservation.state not in OPEN_STATES and now >= reservation.lease_until
