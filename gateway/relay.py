"""The walk of one call over the wire: open the reply, hand on its chunks, conclude exactly once.

Runs on the event loop; whatever touches the database is a hop, and no connection is held while bytes flow.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError

from accounts.errors import AccountSuspended
from accounts.selectors import list_suspended
from core import clock
from core.chosen import chosen
from core.errors import DomainError
from core.threads import hop, hop_to_writer
from core.types import Operation
from core.upkeep import every
from gateway import admission as decisions
from gateway import telemetry
from gateway.errors import Restarting, UpstreamError, UpstreamTimeout
from gateway.pouring import HandOn, Pouring
from gateway.routing import Board
from gateway.services import tell_away
from gateway.types import Admission, Chunk, Ending, Target
from gateway.upstreams import close_adapters, get_adapter, load_adapters
from gateway.upstreams.base import Chunks, is_pourable
from gateway.upstreams.pacing import pace
from gateway.writer import conclude_soon, drain, settle_soon
from quotas import services as quotas
from quotas.selectors import list_expired
from usage.types import Outcome, Totals, UsageSource

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Seconds between attempts to conclude. While the database is away the last pause comes again and again; what fails for
# another reason is left to the sweeper after them.
_PAUSES = (0.2, 1, 5)
_AWAY = (OperationalError, InterfaceError, InternalError)  # the last: PostgreSQL while it only reads
_PATIENCE = 10  # seconds a person waits for the conclusion before the last byte, while the database is slow
_CHECK = 5  # seconds between two looks at providers that rest
_LISTS_NOTHING = (404, 405)  # of a provider that answers, and has no list of models to show
_TICK = 0.25  # seconds between two looks at waits that last too long: a timer for each would cost 5 µs a call
_LOOK_SECONDS = 2  # between two looks at whether the people being answered are still welcome
_DRAIN = 10  # seconds a stopping server waits for its conclusions, and as long for the ledger's thread
_SILENCE = 5  # seconds after which an answer of the database is no longer one of an ordinary day

_TEXTS = ("messages", "input", "instructions", "content", "text", "arguments", "output")  # where a body has text

_running: set["Reply"] = set()
board = Board(time.monotonic)  # what this process has seen of the providers
_upkeep: set[asyncio.Task[None]] = set()


class Reply:
    """The reply to one admitted call: a context manager to enter, and an iterator of chunks inside.

    Entering waits for the first content, so that a failure before it is still an exception with a proper status.
    Leaving concludes the call, once, whatever happened, even when the task is being cancelled:

        read to the end           served
        stop(), or left early     client_left: used (D2, D4); so is who was suspended meanwhile (C24)
        UpstreamError             upstream_failed: given back (D3, D6)
        anything else             lost: our own fault, given back
    """

    def __init__(self, admission: Admission) -> None:
        self.is_stopped = False
        self.is_complete = False
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._tried: asyncio.Future[None] = self._loop.create_future()  # a first attempt to conclude was made
        self._place: Target | None = None  # where the call has gone
        self._chunks: Chunks  # what comes from there
        self._ahead: deque[Chunk] = deque()
        self._latest = 0.0
        self._due = self._tried_by = math.inf  # until when the provider, and the record, are waited for
        self._waiting: asyncio.Timeout | None = None
        self._interruption: DomainError | None = None
        self._first_content_at: datetime | None = None
        self._totals: Totals | None = None
        self._output_bytes = 0

    @property
    def call_id(self) -> UUID:
        return self._admission.call.id

    @property
    def user_id(self) -> int:
        return self._admission.principal.user_id

    @property
    def first(self) -> Chunk | None:
        """The first chunk; None when the call was stopped before it. A plain answer is this one chunk."""
        return self._ahead[0] if self._ahead else None

    def stop(self) -> None:
        """The person left or pressed Stop: the provider is hung up on, and the iteration ends."""
        self.is_stopped = True
        self._wake()

    def interrupt(self, why: DomainError) -> None:
        """The server is stopping, or the person may not go on: the iteration fails with `why`."""
        self._interruption = why
        self._wake()

    def look(self, now: float) -> None:
        """End what has been waited for too long."""
        if now >= self._due:
            self._wake()
        if now >= self._tried_by:
            self._note_tried()

    async def __aenter__(self) -> Self:
        _running.add(self)
        self._latest = self._loop.time() + chosen("UPSTREAM_TOTAL_SECONDS")
        try:
            await self._open()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._conclude(self._make_ending(error))
        self._tried_by = self._loop.time() + _PATIENCE
        try:
            await self._leave(error)
        finally:
            await self._wait_until_tried()

    async def _wait_until_tried(self) -> None:
        """The last byte comes after the record. Who is cancelled here while the answer is whole still owes that byte:
        the answer is about to be recorded as served, and nobody may be told that it was given back."""
        try:
            await self._tried
        except asyncio.CancelledError:
            if not self.is_complete:
                raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._ahead:
            return self._ahead.popleft()
        chunk = await self._bounded(self._read, self._loop.time() + chosen("UPSTREAM_BETWEEN_SECONDS"))
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def pour(self, hand_on: HandOn) -> None:
        """Hand on the rest as it comes, with no turn of the loop in between where the adapter can do that.

        Args:
            hand_on: takes the chunks of one read. What it returns is a person who reads too slowly: until it is done,
                the provider waits.

        Raises:
            UpstreamError: as when iterating.
        """
        chunks = self._chunks
        if not is_pourable(chunks):
            async for chunk in self:
                if (slow := hand_on([chunk])) is not None:
                    await slow
            return
        pouring = Pouring(chunks, hand_on, self._note, self._wake)
        self.is_complete = await self._bounded(partial(pouring.run, list(self._ahead)), self._latest) is not None

    async def _open(self) -> None:
        """Read up to the first content; once more, elsewhere if there is an elsewhere, if that failed (D7)."""
        chosen = board.choose(self._admission.target)
        try:
            await self._ask(chosen[0])
        except UpstreamError as error:
            second = board.second_of(chosen, error)
            if self.is_stopped or second is None:
                raise
            await self._leave(error)
            await self._ask(second)

    async def _ask(self, place: Target) -> None:
        """Begin at one place, with nothing kept of another."""
        self._ahead.clear()
        self._totals = None
        adapter, call = get_adapter(place.kind), self._admission.call
        board.begin(place)  # before anything is waited for: the room was there a moment ago
        try:
            self._chunks = (
                await asyncio.to_thread(adapter.open, place, call) if call.is_large else adapter.open(place, call)
            )
        except BaseException:
            board.end(place, None, is_told=False)
            raise
        self._place = place
        # Images arrive whole, after minutes: only the total bounds them.
        is_image = call.operation == Operation.IMAGE
        latest = self._latest if is_image else self._loop.time() + chosen("UPSTREAM_FIRST_BYTE_SECONDS")
        await self._bounded(self._read_ahead, latest)

    async def _leave(self, error: BaseException | None) -> None:
        """Hang up, unless the answer is complete, and remember how it went there."""
        if self._place is None:
            return
        failure = error if isinstance(error, UpstreamError) else None
        board.end(self._place, failure, is_told=self.is_complete or failure is not None)
        self._place = None
        await self._chunks.aclose()

    async def _read_ahead(self) -> None:
        """A stream up to its first content, a plain answer whole."""
        call = self._admission.call
        # A half-drawn picture is no content, costs nothing, and is shown all the same.
        is_image = call.operation == Operation.IMAGE
        async for chunk in self._chunks:
            self._note(chunk)
            self._ahead.append(chunk)
            if call.stream and (self._first_content_at or is_image):
                return
        self.is_complete = True

    async def _read(self) -> Chunk | None:
        """The next chunk; None after the last one."""
        chunk = await anext(self._chunks, None)
        if chunk is None:
            self.is_complete = True
        else:
            self._note(chunk)
        return chunk

    async def _bounded(self, work: Callable[[], Awaitable[T]], latest: float) -> T | None:
        """What `work` gives; None when nobody waits for it any more.

        Raises:
            UpstreamTimeout: it was not done by `latest` (of the loop's clock), or the whole took too long.
            Restarting: the server is stopping.
        """
        self._due = min(latest, self._latest)
        try:
            async with asyncio.timeout(None) as self._waiting:
                self._check_wanted()
                return await work()
        except TimeoutError:
            if self.is_stopped:
                return None
            raise (self._interruption or UpstreamTimeout()) from None
        finally:
            self._waiting = None

    def _check_wanted(self) -> None:
        if self.is_stopped or self._interruption:
            raise TimeoutError

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.expired():  # an end that has begun cannot begin again
            self._waiting.reschedule(0)

    def _note(self, chunk: Chunk) -> None:
        self._totals = chunk.totals or self._totals
        self._output_bytes += len(chunk.text.encode())
        if chunk.has_content and self._first_content_at is None:
            self._first_content_at = clock.now()
            call = self._admission.call
            if call.stream and call.operation != Operation.IMAGE:  # what is whole is settled when it is concluded
                settle_soon(self._admission)

    def _conclude(self, ending: Ending, attempt: int = 0) -> None:
        """Begin to conclude; what follows lives on when this task is cancelled, and comes back here to try again."""
        began = time.perf_counter()

        def go_on(written: asyncio.Future[None]) -> None:
            error = written.exception()
            if error is None:
                telemetry.concluding.observe(time.perf_counter() - began)
                telemetry.note_ending(self._admission, ending)
            elif attempt < len(_PAUSES):  # and not every five seconds, as long as the database is away
                logger.warning("Call %s could not be concluded yet.", self.call_id, exc_info=error)
            if error is not None and (attempt < len(_PAUSES) or isinstance(error, _AWAY)):
                self._loop.call_later(_PAUSES[min(attempt, len(_PAUSES) - 1)], self._conclude, ending, attempt + 1)
            else:
                _running.discard(self)
                self.ended.set_result(None)
            self._note_tried()

        conclude_soon(self._admission, ending).add_done_callback(go_on)

    def _note_tried(self) -> None:
        if not self._tried.done():
            self._tried.set_result(None)

    def _make_ending(self, error: BaseException | None) -> Ending:
        code = ""
        if self.is_complete:
            outcome = Outcome.SERVED
        elif isinstance(error, UpstreamError):
            outcome, code = Outcome.UPSTREAM_FAILED, error.code
        elif self.is_stopped or error is None or isinstance(error, AccountSuspended):
            outcome, code = Outcome.CLIENT_LEFT, error.code if isinstance(error, AccountSuspended) else ""
        else:
            outcome, code = Outcome.LOST, type(error).__name__
        totals = self._totals or self._estimate(outcome)
        return Ending(outcome, code, totals, self._first_content_at, self._place)

    def _estimate(self, outcome: Outcome) -> Totals:
        """What the provider did not report: nobody can know after hanging up."""
        is_counted = outcome in (Outcome.SERVED, Outcome.CLIENT_LEFT) or self._first_content_at is not None
        if not is_counted or self._admission.call.operation != Operation.CHAT:
            return Totals()
        return Totals(
            input_tokens=_count_input_bytes(self._admission.call.body) // 4,
            output_tokens=self._output_bytes // 4,
            source=UsageSource.ESTIMATED,
        )


def open_reply(admission: Admission) -> Reply:
    """The reply to an admitted call. Nothing is sent before it is entered; `stop()` may be called at any time."""
    return Reply(admission)


async def startup() -> None:
    """Load the ways to providers, and begin the upkeep: deadlines and leases of running calls, and the sweep."""
    load_adapters()
    pace.start()
    _upkeep.add(asyncio.create_task(telemetry.sample(lambda: len(_running), board.list_circuits)))
    _upkeep.add(asyncio.create_task(every(settings.LEASE_SECONDS / 3, _renew_leases)))
    _upkeep.add(asyncio.create_task(every(settings.SWEEP_SECONDS, _Sweeping().sweep)))
    _upkeep.add(asyncio.create_task(every(_TICK, _end_long_waits)))
    _upkeep.add(asyncio.create_task(every(_LOOK_SECONDS, _part_with_suspended)))
    _upkeep.add(asyncio.create_task(every(_CHECK, _check_resting)))


async def shutdown() -> None:
    """End the calls that still run, wait until every conclusion is written, and close the connections to providers."""
    for reply in list(_running):
        reply.interrupt(Restarting())
    for task in _upkeep:
        task.cancel()
    await asyncio.gather(*_upkeep, return_exceptions=True)
    _upkeep.clear()
    endings = [reply.ended for reply in _running]
    if endings:
        await asyncio.wait(endings, timeout=_DRAIN)
    try:
        await asyncio.wait_for(drain(), _DRAIN)
    except TimeoutError:
        logger.warning("The database is silent: what could not be concluded is swept.")
    telemetry.flush()
    pace.stop()
    await close_adapters()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Startup and shutdown around a loop of one's own, as an image job has in its worker."""
    await startup()
    try:
        yield
    finally:
        await shutdown()


async def _end_long_waits() -> None:
    now = asyncio.get_running_loop().time()
    for reply in _running:
        reply.look(now)


async def _renew_leases() -> None:
    if _running:
        await hop_to_writer(quotas.renew, call_ids=[reply.call_id for reply in _running])


async def _check_resting() -> None:
    """Ask the providers that rest because they failed whether they are there again.

    Their list of models is asked for, which costs nothing. Who has none is there; who does not let us in, or is broken,
    is not.
    """
    for place in board.list_resting():
        try:
            await asyncio.to_thread(get_adapter(place.kind).list_model_names, place)
        except UpstreamError as error:
            board.note_check(place, is_well=error.answered in _LISTS_NOTHING)
        else:
            board.note_check(place, is_well=True)
    away = board.list_away(seconds=settings.UPSTREAM_AWAY_SECONDS)
    if away:
        await hop(tell_away, away)


async def _part_with_suspended() -> None:
    """Who was suspended meanwhile is not read to the end (C24); what was said stays, and so does its price."""
    people = {reply.user_id for reply in _running}
    suspended = await hop(list_suspended, people) if people else set()
    for reply in list(_running):
        if reply.user_id in suspended:
            reply.interrupt(AccountSuspended())


class _Sweeping:
    """The rounds of this process's sweep: none right after the database was away, or silent. Those that could not
    renew their leases, or conclude, come first then: they are alive, and their answers were given.
    """

    def __init__(self) -> None:
        self._was_away = False

    async def sweep(self) -> None:
        began, was_away, self._was_away = time.monotonic(), self._was_away, True
        await _renew_leases()
        await hop(list_expired, limit=1)  # any question
        self._was_away = False
        if not was_away and time.monotonic() - began < _SILENCE:
            await hop(decisions.sweep)


def _count_input_bytes(body: Any) -> int:
    """The bytes of all text in a request's messages; pictures are left out."""
    if isinstance(body, str):
        return 0 if body.startswith("data:") else len(body.encode())
    if isinstance(body, dict):
        return sum(_count_input_bytes(body[name]) for name in _TEXTS if name in body)
    if isinstance(body, list):
        return sum(map(_count_input_bytes, body))
    return 0
