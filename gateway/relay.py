"""The walk of one call over the wire: open the reply, hand on its chunks, conclude exactly once.

Runs on the event loop; whatever touches the database is a hop, and no connection is held while bytes flow.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from core import clock
from core.threads import hop, hop_ahead
from core.types import Operation
from gateway import admission as decisions
from gateway.errors import Restarting, UpstreamError, UpstreamTimeout
from gateway.types import Admission, Chunk, Ending
from gateway.upstreams import close_adapters, get_adapter, load_adapters
from quotas import services as quotas
from usage.types import Outcome, Totals, UsageSource

logger = logging.getLogger(__name__)

_PAUSES = (0.2, 1, 5, 15)  # seconds between attempts to conclude while the database is away; then the sweeper does it
_PATIENCE = 10  # seconds a person waits for the conclusion before the last byte, while the database is slow
_DRAIN = 10  # seconds a stopping server waits for its conclusions

_running: dict[UUID, "Reply"] = {}
_pending: set[asyncio.Task[None]] = set()
_upkeep: set[asyncio.Task[None]] = set()


class Reply:
    """The reply to one admitted call: a context manager to enter, and an iterator of chunks inside.

    Entering waits for the first content, so that a failure before it is still an exception with a proper status.
    Leaving concludes the call, once, whatever happened, even when the task is being cancelled:

        read to the end           served
        stop(), or left early     client_left: used (D2, D4)
        UpstreamError             upstream_failed: given back (D3, D6)
        anything else             lost: our own fault, given back
    """

    def __init__(self, admission: Admission) -> None:
        self.is_stopped = False
        self.is_complete = False
        self.ended = asyncio.Event()
        self._tried = asyncio.Event()  # a first attempt to conclude was made
        self._admission = admission
        self._adapter = get_adapter(admission.target.kind)
        self._chunks = self._adapter.open(admission.target, admission.call)
        self._ahead: deque[Chunk] = deque()
        self._latest = 0.0
        self._waiting: asyncio.Timeout | None = None
        self._settling: asyncio.Task[None] | None = None
        self._is_interrupted = False
        self._first_content_at: datetime | None = None
        self._totals: Totals | None = None
        self._output_bytes = 0

    @property
    def first(self) -> Chunk | None:
        """The first chunk; None when the call was stopped before it. A plain answer is this one chunk."""
        return self._ahead[0] if self._ahead else None

    def stop(self) -> None:
        """The person left or pressed Stop: the provider is hung up on, and the iteration ends."""
        self.is_stopped = True
        self._wake()

    def interrupt(self) -> None:
        """The server is stopping: the iteration fails with Restarting."""
        self._is_interrupted = True
        self._wake()

    async def __aenter__(self) -> Self:
        _running[self._admission.call.id] = self
        self._latest = _now() + settings.UPSTREAM_TOTAL_SECONDS
        try:
            await self._open()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        concluding = _start(self._conclude(self._make_ending(error)))
        try:
            await self._chunks.aclose()
        finally:
            tried = asyncio.ensure_future(self._tried.wait())
            # Neither cancels the conclusion nor dies with it.
            await asyncio.wait({concluding, tried}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            tried.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._ahead:
            return self._ahead.popleft()
        chunk = await self._read(_now() + settings.UPSTREAM_BETWEEN_SECONDS)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def _open(self) -> None:
        """Read up to the first content; once more from the start if the provider could not be reached (D7)."""
        try:
            await self._read_ahead()
        except UpstreamError as error:
            if self.is_stopped or not error.is_transient:
                raise
            self._ahead.clear()
            self._chunks = self._adapter.open(self._admission.target, self._admission.call)
            await self._read_ahead()

    async def _read_ahead(self) -> None:
        """A stream up to its first content, a plain answer whole."""
        call = self._admission.call
        # Images arrive whole, after minutes: only the total bounds them.
        is_image = call.operation == Operation.IMAGE
        latest = self._latest if is_image else _now() + settings.UPSTREAM_FIRST_BYTE_SECONDS
        while not (call.stream and self._first_content_at):
            chunk = await self._read(latest)
            if chunk is None:
                return
            self._ahead.append(chunk)

    async def _read(self, latest: float) -> Chunk | None:
        """The next chunk; None after the last one, and when stopped.

        Raises:
            UpstreamTimeout: it did not come before `latest` (of the loop's clock), or the whole took too long.
        """
        try:
            async with asyncio.timeout_at(min(latest, self._latest)) as self._waiting:
                self._check_wanted()
                chunk = await anext(self._chunks, None)
        except TimeoutError:
            if self.is_stopped:
                return None
            if self._is_interrupted:
                raise Restarting from None
            raise UpstreamTimeout from None
        finally:
            self._waiting = None
        if chunk is None:
            self.is_complete = True
        else:
            self._note(chunk)
        return chunk

    def _check_wanted(self) -> None:
        if self.is_stopped or self._is_interrupted:
            raise TimeoutError

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.reschedule(0)

    def _note(self, chunk: Chunk) -> None:
        self._totals = chunk.totals or self._totals
        self._output_bytes += len(chunk.text.encode())
        if chunk.has_content and self._first_content_at is None:
            self._first_content_at = clock.now()
            if self._admission.call.stream:  # a plain answer is settled when it is concluded, a moment later
                self._settling = _start(self._settle())

    async def _settle(self) -> None:
        try:
            await hop_ahead(decisions.settle, self._admission)
        except (DatabaseError, InterfaceError):
            logger.warning("Call %s could not be settled at its first content.", self._admission.call.id, exc_info=True)

    async def _conclude(self, ending: Ending) -> None:
        if self._settling is not None:
            await asyncio.wait({self._settling})
        for pause in (*_PAUSES, None):
            try:
                await hop_ahead(decisions.conclude, self._admission, ending)
                break
            except (DatabaseError, InterfaceError):
                logger.warning("Call %s could not be concluded yet.", self._admission.call.id, exc_info=True)
                self._tried.set()
                if pause is not None:
                    await asyncio.sleep(pause)
        _running.pop(self._admission.call.id, None)
        self.ended.set()

    def _make_ending(self, error: BaseException | None) -> Ending:
        code = ""
        if self.is_complete:
            outcome = Outcome.SERVED
        elif isinstance(error, UpstreamError):
            outcome, code = Outcome.UPSTREAM_FAILED, error.code
        elif self.is_stopped or error is None:
            outcome = Outcome.CLIENT_LEFT
        else:
            outcome, code = Outcome.LOST, type(error).__name__
        return Ending(outcome, code, self._total(outcome), self._first_content_at)

    def _total(self, outcome: Outcome) -> Totals:
        """What the provider reported, else an estimate: nobody can know after hanging up."""
        if self._totals is not None:
            return self._totals
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
    """Begin the upkeep of this process: leases of running calls, the sweep, and a first look at slow imports."""
    _upkeep.add(asyncio.create_task(hop(load_adapters)))
    _upkeep.add(asyncio.create_task(_every(settings.LEASE_SECONDS / 3, _renew_leases)))
    _upkeep.add(asyncio.create_task(_every(settings.SWEEP_SECONDS, _sweep)))


async def shutdown() -> None:
    """End the calls that still run, wait until every conclusion is written, and close the connections to providers."""
    for reply in list(_running.values()):
        reply.interrupt()
    for task in _upkeep:
        task.cancel()
    await asyncio.gather(*_upkeep, return_exceptions=True)
    _upkeep.clear()
    endings = [asyncio.ensure_future(reply.ended.wait()) for reply in _running.values()]
    if endings:
        await asyncio.wait(endings, timeout=_DRAIN)
    await close_adapters()


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Startup and shutdown around a loop of one's own, as an image job has in its worker."""
    await startup()
    try:
        yield
    finally:
        await shutdown()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run something to its end whatever becomes of the caller; shutdown waits for it."""
    task = asyncio.create_task(work)
    _pending.add(task)
    task.add_done_callback(_pending.discard)
    return task


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (DatabaseError, InterfaceError):
            logger.warning("Upkeep failed; the next round tries again.", exc_info=True)


async def _renew_leases() -> None:
    if _running:
        await hop_ahead(quotas.renew, call_ids=list(_running))


async def _sweep() -> None:
    await hop(decisions.sweep)


def _count_input_bytes(body: Any) -> int:
    """The bytes of all text in a request's messages; pictures are left out."""
    if isinstance(body, str):
        return 0 if body.startswith("data:") else len(body.encode())
    if isinstance(body, dict):
        return sum(_count_input_bytes(body[name]) for name in ("messages", "content", "text") if name in body)
    if isinstance(body, list):
        return sum(map(_count_input_bytes, body))
    return 0
