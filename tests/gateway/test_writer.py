"""Calls that wait together are written together, and each is answered as if it had been alone (decision 0022)."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.db.backends.utils import CursorWrapper

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from core import clock
from core.errors import Unavailable
from core.ids import new_id
from core.types import Operation
from gateway import idempotency, writer
from gateway.admission import Case
from gateway.services import sync_catalog
from gateway.snapshot import Snapshot
from gateway.types import Admission, Answer, Asking, Call, Claim, Ending, ExtraFields, Refused
from gateway.writer import admit_soon, conclude_soon, drain, settle_soon
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, Reservation
from quotas.selectors import find_differences
from quotas.types import State
from usage.models import UsageRecord
from usage.types import Outcome

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]

Decided = Admission | Answer | Refused | BaseException


@pytest.fixture
def caller(transactional_db: None, sara: User, settings: Any) -> Principal:
    settings.MAX_PARALLEL_CALLS = settings.MAX_ATTEMPTS_PER_HOUR = 0
    sync_catalog()
    return principal_of(sara)


def asking(person: Principal | str, **changes: Any) -> Asking:
    values = {"id": new_id(), "operation": Operation.CHAT, "model": "smollm2-135m-instruct", "body": {"messages": []}}
    call = Call(**{**values, **changes})
    return Asking(call.id, person, lambda _extra_fields: call)


def admit(askings: list[Asking]) -> list[Decided]:
    """All of them at once, in an event loop of their own."""

    async def together() -> list[Decided]:
        return await asyncio.gather(*map(admit_soon, askings), return_exceptions=True)

    return asyncio.run(together())


def finish(admissions: list[Admission], outcome: Outcome = Outcome.SERVED) -> list[BaseException | None]:
    async def together() -> list[BaseException | None]:
        for admission in admissions:
            settle_soon(admission)
        done = await asyncio.gather(*(conclude_soon(a, Ending(outcome)) for a in admissions), return_exceptions=True)
        await drain()
        return done

    return asyncio.run(together())


def admitted(decided: list[Decided]) -> list[Admission]:
    return [answer for answer in decided if isinstance(answer, Admission)]


def test_two_hundred_at_once_on_twenty_are_twenty_and_no_two_are_told_the_same(caller: Principal) -> None:
    decided = admit([asking(caller) for _ in range(200)])
    assert sorted(answer.standings[0].left or 0 for answer in admitted(decided)) == list(range(20))  # C22
    refused = [answer for answer in decided if isinstance(answer, Refused)]
    assert {type(answer.error) for answer in refused} == {QuotaExhausted}
    assert len(refused) == 180
    assert Reservation.objects.filter(state=State.DISPATCHED).count() == 20
    assert UsageRecord.objects.filter(outcome=Outcome.REFUSED).count() == 180
    assert finish(admitted(decided)) == [None] * 20
    assert Allowance.objects.values_list("used", "held").get() == (20, 0)
    assert UsageRecord.objects.filter(outcome=Outcome.SERVED, prompts=1).count() == 20
    assert find_differences() == []


def test_a_call_that_is_poison_harms_none_of_those_that_wait_with_it(caller: Principal) -> None:
    def bug(_extra_fields: object) -> Call:
        raise ZeroDivisionError

    twin = new_id()
    (first,) = admitted(admit([asking(caller, id=twin)]))
    # One that is there already, one whose model no column holds, and one that meets a bug.
    poison = [asking(caller, id=twin), asking(caller, course_code="\ud800"), Asking(new_id(), caller, bug)]
    decided = admit([asking(caller), poison[0], asking(caller), poison[1], asking(caller), poison[2]])
    assert [isinstance(answer, Admission) for answer in decided] == [True, False, True, False, True, False]
    assert isinstance(decided[1], IntegrityError)
    assert isinstance(decided[5], ZeroDivisionError)
    assert Allowance.objects.get().held == 4
    assert finish([first, *admitted(decided)]) == [None] * 4
    assert find_differences() == []


@contextmanager
def failing_at(number: int, error: Callable[[], Exception]) -> Iterator[list[int]]:
    """Inside, the writer's statement of that number fails, once; how many there were."""
    seen = [0]

    def failing(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: CursorWrapper, *args: Any) -> Any:
            seen[0] += 1
            if seen[0] == number:
                raise error()
            return method(self, *args)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", failing(CursorWrapper.execute))
        patch.setattr(CursorWrapper, "executemany", failing(CursorWrapper.executemany))
        yield seen


@pytest.mark.parametrize("error", [lambda: OperationalError("away"), lambda: IntegrityError("no")], ids=["away", "bug"])
def test_c04_whatever_statement_fails_nothing_is_half_done(caller: Principal, error: Callable[[], Exception]) -> None:
    services.set_quota(limit=1000)
    admit([asking(caller)])  # makes the purse, and fills the memory
    number, has_failed = 1, True
    while has_failed:
        with failing_at(number, error) as seen:
            decided = admit([asking(caller) for _ in range(3)])
        begun = {answer.call.id for answer in admitted(decided)}
        assert begun <= set(Reservation.objects.filter(state=State.DISPATCHED).values_list("call_id", flat=True))
        with failing_at(number, error):
            ended = finish(admitted(decided))
        failed = [answer for answer, done in zip(admitted(decided), ended, strict=True) if done is not None]
        assert Reservation.objects.filter(call_id__in=begun, state=State.CLOSED).count() == len(begun) - len(failed)
        assert finish(failed) == [None] * len(failed)
        assert UsageRecord.objects.filter(call_id__in=begun, prompts=1).count() == len(begun)
        assert find_differences() == []
        has_failed = seen[0] >= number
        number += 1
    assert number > 6
    assert Allowance.objects.get().held == 1  # the first call still runs, and none is held that nobody knows of


def test_who_gives_up_waiting_holds_nothing(caller: Principal) -> None:
    homework = Claim("/v1/chat/completions", "homework", "0" * 64)

    async def give_up() -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "_PATIENCE", 0)
            patch.setattr(writer, "TICK", 0)
            answer = await admit_soon(asking(caller)._replace(claim=lambda: homework))
        await drain()
        return answer

    refused = asyncio.run(give_up())
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, Unavailable)
    assert not Allowance.objects.filter(held__gt=0).exists()
    assert find_differences() == []
    assert idempotency.take(caller.user_id, homework, call_id=new_id()) is None  # the key is free at once (C19)


def test_a_key_that_was_taken_in_a_batch_that_came_to_nothing_is_taken_anew(
    caller: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch learns only in its transaction that the person may ask; what it took there is undone with it."""
    twin = new_id()
    homework = Claim("/v1/chat/completions", "homework", "0" * 64)
    admit([asking(caller, id=twin)])
    decide, mays = Case.decide, chain([False], repeat(True))

    def decide_late(case: Case, snapshot: Snapshot) -> None:
        if case.asking.claim and not next(mays):
            case.outcome = Refused(Unavailable())
        else:
            decide(case, snapshot)

    monkeypatch.setattr(Case, "decide", decide_late)
    monkeypatch.setattr(Snapshot, "is_true", lambda _snapshot: False)
    poison, one = asking(caller, id=twin), asking(caller)._replace(claim=lambda: homework)
    decided = admit([poison, one])

    assert isinstance(decided[0], IntegrityError)
    assert isinstance(decided[1], Admission)


def test_who_is_cancelled_as_it_is_admitted_holds_nothing(caller: Principal) -> None:
    homework = Claim("/v1/chat/completions", "homework", "0" * 64)
    one = asking(caller)._replace(claim=lambda: homework)

    async def cancel_as_it_is_told() -> None:
        admitting = asyncio.create_task(admit_soon(one))

        def hand_in(item: writer.Item) -> "asyncio.Future[None]":
            written = hand_in_as_ever(item)
            written.add_done_callback(lambda _written: admitting.cancel())
            return written

        with pytest.MonkeyPatch.context() as patch:
            hand_in_as_ever = writer._hand_in
            patch.setattr(writer, "_hand_in", hand_in)
            with pytest.raises(asyncio.CancelledError):
                await admitting
        await drain()

    asyncio.run(cancel_as_it_is_told())
    assert Reservation.objects.get().state == State.RELEASED
    assert UsageRecord.objects.values_list("outcome", "code", "prompts").get() == (Outcome.LOST, "abandoned", 0)
    assert find_differences() == []
    assert idempotency.take(caller.user_id, homework, call_id=new_id()) is None  # the key is free at once (C19)


@contextmanager
def batches() -> Iterator[list[list[str]]]:
    """What is written together, inside."""
    seen: list[list[str]] = []
    write = writer._write_together

    def note(items: Sequence[writer.Item]) -> Sequence[Exception | None]:
        seen.append([type(item).__name__ for item in items])
        return write(items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_write_together", note)
        yield seen


def test_a_settlement_rides_with_what_somebody_waits_for(caller: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    (admission,) = admitted(admit([asking(caller)]))
    monkeypatch.setattr(writer, "_SETTLING", 60)

    async def settle_and_conclude() -> None:
        settle_soon(admission)
        await asyncio.sleep(0.01)
        await conclude_soon(admission, Ending(Outcome.SERVED))

    with batches() as written:
        asyncio.run(settle_and_conclude())
    assert written == [["Settling", "Concluding"]]
    assert Allowance.objects.values_list("used", "held").get() == (1, 0)


def test_a_settlement_that_nobody_joins_is_written_in_a_moment(caller: Principal) -> None:
    (admission,) = admitted(admit([asking(caller)]))

    async def settle() -> None:
        settle_soon(admission)
        await asyncio.sleep(2 * writer._SETTLING)
        work = writer._queue_of(asyncio.get_running_loop())._work
        if work is not None:  # has begun by itself, and is not done yet
            await work

    asyncio.run(settle())
    assert Allowance.objects.values_list("used", "held").get() == (1, 0)


def test_the_next_loop_finds_the_writer_as_the_last_left_it(caller: Principal) -> None:
    for _ in range(3):
        decided = admit([asking(caller) for _ in range(2)])
        assert finish(admitted(decided), Outcome.UPSTREAM_FAILED) == [None, None]
    assert Allowance.objects.values_list("used", "held").get() == (1, 0)  # the sixth reversal of a day
    assert clock.now() >= Reservation.objects.latest("created_at").created_at


@pytest.mark.parametrize("is_large", [True, False])
def test_c33_a_large_body_is_read_off_the_event_loop(caller: Principal, is_large: bool) -> None:
    small, readers = asking(caller), []

    def read(extra_fields: ExtraFields) -> Call:
        readers.append(threading.current_thread())
        return small.read(extra_fields)

    assert admitted(admit([Asking(small.id, caller, read, is_large=is_large)]))
    assert (threading.main_thread() in readers) is not is_large
