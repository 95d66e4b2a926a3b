"""The ledger against a plain model of it, in random orders of everything that can happen."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from core.ids import new_id
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, Reservation
from quotas.selectors import count_open, nearest_standing
from quotas.services import open_batch
from quotas.types import OPEN_STATES, Reserved, State
from tests.books import check_books
from tests.faults.length import how_many, report
from tests.quotas.conftest import principal, reserve, wish_of

BEGIN = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ARROWS = {
    # what is called: the state it expects, the state it leads to, the change of (used, held) per unit of weight
    "dispatch": ((State.HELD,), State.DISPATCHED, (0, 0)),
    "settle": ((State.DISPATCHED,), State.SETTLED, (1, -1)),
    "close": ((State.SETTLED,), State.CLOSED, (0, 0)),
    "release": ((State.HELD, State.DISPATCHED), State.RELEASED, (0, -1)),
}


@dataclass
class Call:
    """What the model knows of a call."""

    weight: int
    window: datetime
    lease_until: datetime
    state: State = State.HELD


@dataclass
class Books:
    """The model of one allowance."""

    used: int = 0
    held: int = 0
    granted: int = 0


@dataclass
class Model:
    limit: int | None = 20
    calls: dict[UUID, Call] = field(default_factory=dict)
    books: dict[datetime, Books] = field(default_factory=dict)
    reversals: Counter[object] = field(default_factory=Counter)


class Ledger(RuleBasedStateMachine):
    calls = Bundle("calls")
    now = BEGIN
    people = 0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.clean_slate = transaction.savepoint()

    @initialize(limit=st.one_of(st.none(), st.integers(0, 6)))
    def begin(self, limit: int | None) -> None:
        Ledger.now = BEGIN
        Ledger.people += 1
        # A number of their own: nothing remembered of another is found again. Not a large one: the columns of
        # usage.tables reach as far, in all tests that come after.
        name = f"p{Ledger.people}@example.edu"
        self.user = User.objects.create_user(name, None, name="Model", id=10_000 + Ledger.people)
        self.model = Model()
        self.set_limit(limit)

    @property
    def month(self) -> datetime:
        local = Ledger.now + timedelta(hours=8)
        return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=8)

    @property
    def books(self) -> Books:
        return self.model.books.setdefault(self.month, Books())

    @rule(target=calls, weight=st.integers(1, 4))
    def reserve(self, weight: int) -> UUID:
        call_id = new_id()
        self.compare_reservation(call_id, weight, lambda: reserve(self.user, call_id=call_id, prompts=weight))
        return call_id

    @rule(call_id=calls, name=st.sampled_from(sorted(ARROWS)))
    def arrow(self, call_id: UUID, name: str) -> None:
        assert getattr(services, name)(call_id=call_id) is self.expect_arrow(call_id, name)

    @rule(call_id=calls)
    def reverse(self, call_id: UUID) -> None:
        assert services.reverse(call_id=call_id) is self.expect_reversal(call_id)

    @rule(
        target=calls,
        moves=st.lists(st.tuples(calls, st.sampled_from([*sorted(ARROWS), "reverse"])), max_size=4),
        weights=st.lists(st.integers(1, 4), max_size=4),
    )
    def together(self, moves: list[tuple[UUID, str]], weights: list[int]) -> MultipleResults[UUID]:
        """Many arrows and many reservations in one batch, as the writer does it."""
        wishes = [wish_of(self.user, prompts=weight) for weight in weights]
        moved = [call_id for call_id, _name in moves]
        with open_batch(at=Ledger.now, wishes=wishes, calls=moved, reversing=moved) as batch:
            for call_id, name in moves:
                expect = self.expect_reversal(call_id) if name == "reverse" else self.expect_arrow(call_id, name)
                assert getattr(batch, name)(call_id) is expect
            for wish, weight in zip(wishes, weights, strict=True):
                self.compare_reservation(wish.call_id, weight, partial(batch.reserve, wish))
        return multiple(*(wish.call_id for wish in wishes))

    def compare_reservation(self, call_id: UUID, weight: int, attempt: Callable[[], Reserved]) -> None:
        books, limit = self.books, self.model.limit
        room = limit is None or books.used + books.held + weight <= limit + books.granted
        try:
            standing = attempt().standings[0]
        except QuotaExhausted:
            assert not room
        else:
            assert room
            books.held += weight
            assert (standing.used, standing.held) == (books.used, books.held)
            self.model.calls[call_id] = Call(weight, self.month, Ledger.now + services.LEASE)

    def expect_arrow(self, call_id: UUID, name: str) -> bool:
        expected, after, (used, held) = ARROWS[name]
        call = self.model.calls.get(call_id)
        if call is None or call.state not in expected:
            return False
        self.move(call, after, used, held)
        return True

    def expect_reversal(self, call_id: UUID) -> bool:
        call = self.model.calls.get(call_id)
        if call is None or call.state != State.SETTLED:
            return False
        today = (Ledger.now + timedelta(hours=8)).date()
        if self.model.reversals[today] >= 5:
            call.state = State.CLOSED
            return False
        self.model.reversals[today] += 1
        self.move(call, State.REVERSED, -1, 0)
        return True

    @rule(call_id=calls)
    def renew(self, call_id: UUID) -> None:
        services.renew(call_ids=[call_id])
        call = self.model.calls.get(call_id)
        if call and call.state in OPEN_STATES:
            call.lease_until = Ledger.now + services.LEASE

    @rule()
    def sweep(self) -> None:
        dead = {
            call_id
            for call_id, call in self.model.calls.items()
            if call.state in OPEN_STATES and call.lease_until <= Ledger.now
        }
        assert {reservation.pk for reservation in services.expire_reservations()} == dead
        for call in map(self.model.calls.__getitem__, dead):
            if call.state == State.SETTLED:
                call.state = State.CLOSED
            else:
                self.move(call, State.RELEASED, 0, -1)

    @rule(seconds=st.sampled_from([0, 1, 30, 60, 61, 3600, 24 * 3600]))
    def wait(self, seconds: int) -> None:
        Ledger.now += timedelta(seconds=seconds)

    @rule()
    def wait_for_the_next_month(self) -> None:
        Ledger.now = (self.month + timedelta(days=32, hours=8)).replace(day=1) - timedelta(hours=8)

    @rule(amount=st.integers(1, 5))
    def grant(self, amount: int) -> None:
        services.grant(user_id=self.user.pk, amount=amount, reason="model", by_id=None)
        self.books.granted += amount

    @rule(limit=st.one_of(st.none(), st.integers(0, 12)))
    def set_limit(self, limit: int | None) -> None:
        services.set_quota(limit=limit, user_id=self.user.pk)
        self.model.limit = limit

    @rule()
    def look(self) -> None:
        """What pages say: what is left, never below zero, and how many calls run."""
        limit, books = self.model.limit, self.books
        left = None if limit is None else max(0, limit + books.granted - books.used - books.held)
        assert nearest_standing(principal(self.user)).left == left
        alive = [c for c in self.model.calls.values() if c.state in OPEN_STATES and c.lease_until > Ledger.now]
        assert count_open(self.user.pk) == len(alive)

    def move(self, call: Call, state: State, used: int, held: int) -> None:
        books = self.model.books[call.window]
        books.used += used * call.weight
        books.held += held * call.weight
        call.state = state

    @invariant()
    def counters_are_those_of_the_model(self) -> None:
        Ledger.steps += 1
        rows = (
            Allowance.objects.filter(user=self.user).order_by().values_list("window_start", "used", "held", "granted")
        )
        kept = {window: Books(*counters) for window, *counters in rows}
        assert kept == {month: books for month, books in self.model.books.items() if month in kept}
        assert all(books == Books() for month, books in self.model.books.items() if month not in kept)

    @invariant()
    def every_call_is_where_the_model_says(self) -> None:
        rows = Reservation.objects.filter(user=self.user).order_by().values_list("pk", "state")
        assert dict(rows) == {call_id: call.state for call_id, call in self.model.calls.items()}

    @invariant()
    def held_is_what_open_calls_hold(self) -> None:
        for month, books in self.model.books.items():
            calls = [call for call in self.model.calls.values() if call.window == month]
            assert books.held == sum(c.weight for c in calls if c.state in (State.HELD, State.DISPATCHED))
            assert books.used == sum(c.weight for c in calls if c.state in (State.SETTLED, State.CLOSED))

    def teardown(self) -> None:
        """Each run is taken back, so that the last of a million steps looks at no more rows than the first. Where they
        are committed instead, no call of theirs runs on.
        """
        try:
            Ledger.now += 2 * services.LEASE
            services.expire_reservations()
            check_books()
        finally:
            transaction.savepoint_rollback(self.clean_slate)
            connection.run_on_commit.clear()  # what would be done then: of a savepoint of ours Django forgets nothing


def compare(monkeypatch: pytest.MonkeyPatch, steps: int) -> str:
    """Take so many steps with the ledger and with its model; what was done, in words.

    In parts of some hundred runs, for what hypothesis remembers of a part grows with each run of it.
    """
    monkeypatch.setattr("core.clock.now", lambda: Ledger.now)
    done = Ledger.steps + steps
    while Ledger.steps < done:
        run_state_machine_as_test(
            Ledger,
            settings=settings(
                max_examples=min(500, -(-(done - Ledger.steps) // 20)),
                stateful_step_count=40,
                deadline=None,
                derandomize=False,  # each part walks ways of its own
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
    return f"{steps} steps agree"


@pytest.mark.both_databases
@pytest.mark.parametrize("half", ["first", "second"])
@pytest.mark.django_db
def test_c03_c04_the_ledger_does_what_its_model_does(monkeypatch: pytest.MonkeyPatch, half: str) -> None:
    seen = compare(monkeypatch, how_many(500, 500_000))
    report(f"ledger against its model, {half} half, {connection.vendor}", seen)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_c03_c04_so_it_does_when_each_step_is_committed_and_a_batch_may_know_what_the_last_one_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = compare(monkeypatch, how_many(1_000, 15_000))
    report(f"ledger against its model, committed, {connection.vendor}", seen)
