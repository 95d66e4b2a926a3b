"""How long callers wait for a database that says nothing: about two seconds of silence, then 503 (contract, C14).

A database that is stopped refuses at once. One that is frozen, or behind a line that swallows everything, gives no sign
at all: whoever asked is told so here, and what the database may still answer is undone when it comes. A crowd is not
silence: as long as anybody is answered, everybody goes on waiting. Nor is it silence when this process was held up
itself: it counts the ticks of its own loop, and no time it did not see.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper

from core.errors import Unavailable

T = TypeVar("T")

SECONDS = 1.75  # of silence
TICK = 0.25  # seconds: so often is looked for a sign, and so much does a look without one count
_PROBE_SECONDS = 0.5  # while it is silent, so seldom a caller is let through to try


class Signs:
    """When the database last gave this process a sign of life, on the monotonic clock."""

    latest = 0.0

    def note_connection(self, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
        """Django's signal of a new connection: that is a sign, and so will be each answer to a statement on it."""
        self.note()
        if self._note_answer not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._note_answer)

    def note(self) -> None:
        """There was one."""
        self.latest = time.monotonic()

    def _note_answer(self, execute: Callable[..., Any], *statement: Any) -> Any:
        answer = execute(*statement)
        self.latest = time.monotonic()
        return answer


signs = Signs()  # of the database; gateway.apps connects it


class Silence:
    """How long a database has said nothing, counted in ticks. Whoever waits calls `tick` once a `TICK`."""

    def __init__(self) -> None:
        self._heard_at = signs.latest
        self._seconds = 0.0

    def tick(self) -> float:
        """The silence so far in seconds."""
        self._seconds = self._seconds + TICK if signs.latest == self._heard_at else 0.0
        self._heard_at = signs.latest
        return self._seconds


class Patience:
    """Who waits for what reads the database, and how many questions it owes an answer."""

    def __init__(self) -> None:
        self._probed_at = 0.0
        self._unanswered: set[asyncio.Future[Any]] = set()

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that reads the database.

        Raises:
            Unavailable: the database is silent. The work goes on, as nothing can call it back.
        """
        began = time.monotonic()
        is_silent = bool(self._unanswered) and signs.latest < self._probed_at
        if is_silent and began < self._probed_at + _PROBE_SECONDS:
            work.close()
            raise Unavailable
        self._probed_at = began
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._note_answer)
        silence = Silence()
        while True:
            await asyncio.wait({task}, timeout=TICK)
            if task.done():
                return task.result()
            if silence.tick() >= SECONDS:
                break
        self._unanswered.add(task)
        raise Unavailable

    def _note_answer(self, task: asyncio.Future[Any]) -> None:
        signs.note()
        if task in self._unanswered:
            self._unanswered.discard(task)
            task.exception()  # seen: nobody waits for it
