"""Many rows at once come out as they went in, in their order, on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from core import rows
from core.ids import new_id
from quotas.models import Allowance, Reservation

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]

AT = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
NAMES = (
    "call_id",
    "user",
    "model",
    "created_at",
    "settled_at",
    "lease_until",
    *("operation", "course_code", "via", "state", "is_estimated"),
)
FIELDS = rows.fields_of(Reservation, "call_id", "created_at", "settled_at", "model")


def lines_for(person: User, count: int) -> list[tuple[Any, ...]]:
    """Reservations, every other one settled; whole seconds have no microseconds."""
    made = []
    for place in range(count):
        at = AT + timedelta(milliseconds=250 * place)
        settled = at if place % 2 else None
        made.append((new_id(), person.pk, f"model {place}", at, settled, at, "chat", "", "api", "held", False))
    return made


def read_back() -> list[Sequence[Any]]:
    """The latest first."""
    query = "select call_id, created_at, settled_at, model from quotas_reservation order by created_at desc"
    (found,) = rows.run(rows.Statement(query, [], FIELDS))
    return [tuple(row) for row in found]


@pytest.mark.parametrize("count", [1, 5, 33, 256, 600])
def test_rows_come_out_as_they_went_in_in_the_order_one_asks_for(sara: User, count: int) -> None:
    lines = lines_for(sara, count)
    rows.insert(Reservation, NAMES, lines)
    wanted = [(call_id, at, settled, model) for call_id, _user, model, at, settled, *_others in lines]
    assert read_back() == wanted[::-1]
    assert isinstance(wanted[0][0], UUID)


def test_several_questions_each_get_their_own_answer(sara: User) -> None:
    rows.insert(Reservation, NAMES, lines_for(sara, 3))
    count = rows.Statement("select count(*) from quotas_reservation where user_id = %s", [sara.pk], FIELDS[3:])
    none = rows.Statement("select model from quotas_reservation where user_id = %s", [0], FIELDS[3:])
    purse = rows.insertion(
        Allowance,
        ("user", "unit", "period", "scope", "window_start", "purse", "granted", "used", "held"),
        [(sara.pk, "prompts", "month", "all", AT, "period", 0, 0, 0)],
    )
    told = rows.run(None, count, none, purse, count)
    assert [[tuple(row) for row in answer] if isinstance(answer, list) else answer for answer in told] == [
        [],
        [(3,)],
        [],
        1,
        [(3,)],
    ]


def test_one_row_that_is_refused_refuses_all(sara: User) -> None:
    first, *others = lines_for(sara, 40)
    rows.insert(Reservation, NAMES, [first])
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert(Reservation, NAMES, [*others, first])
    assert len(read_back()) == 1
    rows.insert(Reservation, NAMES, [*others, first], ignore_conflicts=True)
    assert len(read_back()) == 40


def test_a_row_is_changed_only_if_it_is_what_one_believes(sara: User) -> None:
    lines = lines_for(sara, 70)
    rows.insert(Reservation, NAMES, lines)
    beliefs = [(line[0], "settled" if place == 7 else "held", "closed") for place, line in enumerate(lines)]
    (changed,) = rows.run(rows.update(Reservation, beliefs, key="call_id", expected=("state",), changed=("state",)))
    assert changed == 69
    assert Reservation.objects.get(state="held").call_id == lines[7][0]
