"""Shorthands of the ledger's tests: who calls, and one call."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest
from django.db import transaction

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from core.ids import new_id
from core.types import Operation, Via
from quotas import services
from quotas.resolution import Asked
from quotas.selectors import list_ways_of
from quotas.types import Reserved, Unit

Travel = Callable[[datetime], None]


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Move the clock to an instant and stop it there."""

    def to(instant: datetime) -> None:
        monkeypatch.setattr("core.clock.now", lambda: instant)

    return to


def principal(user: User) -> Principal:
    return Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id)


def reserve(
    user: User,
    *,
    call_id: UUID | None = None,
    prompts: int = 1,
    operation: Operation = Operation.CHAT,
    model: str = "smollm2",
    amounts: dict[Unit, int] | None = None,
) -> Reserved:
    """One call of this person, held; in a transaction of its own, as admission does."""
    with transaction.atomic():
        return services.reserve(
            call_id=call_id or new_id(),
            principal=principal(user),
            amounts=amounts or {Unit.PROMPTS: prompts},
            operation=operation,
            model=model,
            course_code="",
            via=Via.WEB,
        )


def wish_of(
    user: User, *, prompts: int = 1, most_open: int | None = None, is_dispatched: bool = False
) -> services.Wish:
    """One call of this person that wants to be admitted in a batch."""
    asked = Asked(Operation.CHAT, "smollm2", {Unit.PROMPTS: prompts})
    return services.Wish(
        call_id=new_id(),
        principal=principal(user),
        ways=list_ways_of(principal(user), asked, at=clock.now()),
        operation=Operation.CHAT,
        model="smollm2",
        course_code="",
        via=Via.API,
        most_open=most_open,
        is_dispatched=is_dispatched,
    )


def use(user: User, **call: object) -> UUID:
    """One call of this person, answered."""
    call_id = reserve(user, **call).call_id  # type: ignore[arg-type]
    services.dispatch(call_id=call_id)
    services.settle(call_id=call_id)
    services.close(call_id=call_id)
    return call_id
