"""How long callers wait for a database that says nothing: two seconds of silence, then 503 (contract, C14).

A database that is stopped refuses at once. One that is frozen, or behind a line that swallows everything, gives no sign
at all: whoever asked is told so here, and what the database may still answer is undone when it comes. A crowd is not
silence: as long as anybody is answered, everybody goes on waiting.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.errors import Unavailable

T = TypeVar("T")

SECONDS = 1.8  # of silence
_PROBE_SECONDS = 0.5  # while it is silent, so seldom a caller is let through to try


class Patience:
    """What is known about one database: when it last answered, and how many questions it owes an answer."""

    def __init__(self) -> None:
        self._answered_at = 0.0
        self._probed_at = 0.0
        self._unanswered: set[asyncio.Future[Any]] = set()

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that reads the database.

        Raises:
            Unavailable: the database is silent. The work goes on, as nothing can call it back.
        """
        began = _now()
        if self._unanswered and began < self._probed_at + _PROBE_SECONDS:
            work.close()
            raise Unavailable
        self._probed_at = began
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._note_answer)
        while (patience := max(began, self._answered_at) + SECONDS - _now()) > 0:
            await asyncio.wait({task}, timeout=patience)
            if task.done():
                return task.result()
        self._unanswered.add(task)
        raise Unavailable

    def _note_answer(self, task: asyncio.Future[Any]) -> None:
        self._answered_at = _now()
        if task in self._unanswered:
            self._unanswered.discard(task)
            task.exception()  # seen: nobody waits for it


def _now() -> float:
    return asyncio.get_running_loop().time()
