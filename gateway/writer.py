"""Group commit: calls that wait at the same time are admitted and concluded in one transaction (decision 0022).

Asynchronous code hands in here what the ledger shall write; one thread per process writes whatever is waiting, wakes
who waits after the COMMIT, and takes what has come meanwhile. What goes wrong with one call happens to that call alone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from core.errors import Unavailable
from core.threads import hop, hop_to_writer
from gateway import idempotency
from gateway.admission import Case, Concluding, Settling, write
from gateway.patience import SECONDS, TICK, Silence
from gateway.snapshot import Snapshot
from gateway.types import Admission, Answer, Asking, Ending, Refused
from quotas.selectors import list_standings
from usage.types import Outcome

logger = logging.getLogger(__name__)

Item = Case | Settling | Concluding

_MOST_TOGETHER = 256
_SETTLING = 0.05  # seconds a settlement, for which nobody waits, may wait for a batch that somebody does wait for
# How long the database may be silent before those who wait to be admitted are told so (C14). A crowd is not silence:
# each answered statement is a sign of life. On SQLite another process may take its turn at writing for as long as this.
_PATIENCE = 20.0 if connection.vendor == "sqlite" else SECONDS
# PostgreSQL's words for "someone else was in the way": serialization failure, deadlock.
_TRY_ALONE = ("40001", "40P01")

_snapshot = Snapshot()


@dataclass(slots=True, eq=False)
class _Waiting:
    """Something to be written, and who waits for it; nobody waits for a settlement."""

    item: Item
    written: asyncio.Future[None] | None = None


class _Queue:
    """What one event loop has handed in."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._together: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None

    def put(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if self._work is not None:
            return
        if waiting.written is not None:
            self._begin()
        elif self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(_SETTLING, self._begin)

    def give_back(self, case: Case) -> None:
        """Nobody is there to be told: if the call was admitted it never went upstream, and costs nothing."""
        if isinstance(case.outcome, Admission):
            self.put(_Waiting(Concluding(case.outcome, Ending(Outcome.LOST, "abandoned"))))

    async def drain(self) -> None:
        if self._waiting and self._work is None:
            self._begin()
        while self._work is not None:
            await asyncio.wait({self._work})

    def _begin(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._work = asyncio.create_task(self._write(), name="ledger writer")

    async def _write(self) -> None:
        self._look_after_a_tick(Silence())
        try:
            while self._waiting:
                await asyncio.sleep(0)  # a turn of the loop: whoever is as far as this comes along, and nobody waits
                together = [self._waiting.popleft() for _ in range(min(_MOST_TOGETHER, len(self._waiting)))]
                # Who has given up meanwhile is not admitted.
                together = [one for one in together if one.written is None or not one.written.done()]
                self._together = together
                errors = await self._try(together)
                for one, error in zip(together, errors, strict=True):
                    self._wake(one, error)
                failed = [one.item for one, error in zip(together, errors, strict=True) if error is not None]
                if failed:
                    await _free_claims(failed)
        finally:
            self._work, self._together = None, []
            if self._look is not None:
                self._look.cancel()

    def _look_after_a_tick(self, silence: Silence) -> None:
        self._look = asyncio.get_running_loop().call_later(TICK, self._listen, silence)

    def _listen(self, silence: Silence) -> None:
        """Tell those who wait to be admitted when the database says nothing; who concludes goes on waiting."""
        if silence.tick() >= _PATIENCE:
            for one in (*self._together, *self._waiting):
                if isinstance(one.item, Case) and one.written is not None and not one.written.done():
                    one.written.set_exception(Unavailable())
        self._look_after_a_tick(silence)

    async def _try(self, together: Sequence[_Waiting]) -> Sequence[Exception | None]:
        try:
            return await hop_to_writer(_write_together, [one.item for one in together])
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may wait for ever
            return [error] * len(together)

    def _wake(self, one: _Waiting, error: Exception | None) -> None:
        if one.written is None:
            if error is not None:
                logger.warning("A call could not be settled at its first content.", exc_info=error)
        elif one.written.done():
            if error is None and isinstance(one.item, Case):
                self.give_back(one.item)
        elif error is not None:
            # Each gets one of their own: the same error raised by many would gather all their traces.
            one.written.set_exception(_copy(error))
        else:
            one.written.set_result(None)


async def _free_claims(failed: Sequence[Item]) -> None:
    """Free the Idempotency-Keys of calls that were not admitted after all: each was taken before its batch (C19)."""
    claimed = [item.asking.id for item in failed if isinstance(item, Case) and item.asking.claim is not None]
    if claimed:
        try:
            await hop_to_writer(idempotency.forget, *claimed)
        except (DatabaseError, InterfaceError):
            logger.warning("%d Idempotency-Keys stay taken for a while.", len(claimed), exc_info=True)


async def admit_soon(asking: Asking) -> Admission | Answer | Refused:
    """Decide about a call in the order of D10; an admitted one has its durable row when this returns (C01).

    Returns:
        the admission; or what the first call under the same Idempotency-Key was answered with; or the refusal, which
        the caller raises, and which is recorded already.

    Raises:
        DatabaseError, InterfaceError: nothing is held.
    """
    case = Case(asking)
    if asking.is_large:
        await asyncio.to_thread(case.read_ahead, _snapshot)
    else:
        case.read_ahead(_snapshot)
    written = _hand_in(case)
    try:
        await written
        return await _tell(case)
    except Unavailable as error:
        return Refused(error)
    except asyncio.CancelledError:
        if not written.cancelled() and written.exception() is None:  # else the writer has seen to it
            _queue_of(asyncio.get_running_loop()).give_back(case)
        raise


async def _tell(case: Case) -> Admission | Answer | Refused:
    """What was decided, and where the person stands."""
    outcome = case.outcome
    if outcome is None:
        raise TypeError
    if isinstance(outcome, Answer) or outcome.standings or case.principal is None:
        return outcome
    if isinstance(outcome, Refused) or not outcome.prompts:  # no quota was looked at
        with suppress(DatabaseError, InterfaceError):  # decided is decided
            return outcome._replace(standings=tuple(await hop(list_standings, case.principal)))
    return outcome


def settle_soon(admitted: Admission) -> None:
    """The first content has arrived: the prompt is used (D2). Does not wait; a conclusion comes after it."""
    _queue_of(asyncio.get_running_loop()).put(_Waiting(Settling(admitted)))


def conclude_soon(admitted: Admission, ending: Ending) -> asyncio.Future[None]:
    """End a call and record it, whoever waits; written when what this gives is done. The second time does nothing.

    Raises (from what it gives):
        DatabaseError, InterfaceError: nothing was written; try again in a while.
    """
    return _hand_in(Concluding(admitted, ending))


async def drain() -> None:
    """Return when everything that was handed in is written, or has failed: before the loop ends."""
    await _queue_of(asyncio.get_running_loop()).drain()


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()


def _queue_of(loop: asyncio.AbstractEventLoop) -> _Queue:
    queue = _queues.get(loop)
    if queue is None:
        queue = _queues[loop] = _Queue()
    return queue


def _hand_in(item: Item) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()  # a question to the kernel before Python 3.12
    written: asyncio.Future[None] = loop.create_future()
    _queue_of(loop).put(_Waiting(item, written))
    return written


def _write_together(items: Sequence[Item]) -> Sequence[Exception | None]:
    """Write all of it, or each alone when something is wrong with one; what went wrong with each."""
    try:
        write(items, _snapshot)
    except Exception as error:  # each of the others must still be tried
        if len(items) == 1 or _is_outage(error):
            return [error] * len(items)
        logger.warning("A batch of %d calls is written one by one.", len(items), exc_info=True)
        return [_write_together([item])[0] for item in items]
    return [None] * len(items)


def _is_outage(error: Exception) -> bool:
    """Whether the database is away, so that trying again at once would only make everyone wait."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    return getattr(error.__cause__, "sqlstate", None) not in _TRY_ALONE


def _copy(error: Exception) -> Exception:
    if isinstance(error, (DatabaseError, InterfaceError)):
        copy = type(error)(*error.args)
        copy.__cause__ = error
        return copy
    return error
