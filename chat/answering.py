"""Answers while they are being written: one task per answer in the process that admitted it, any number of followers.

An answer outlives its page (docs/decisions/0040): nothing here depends on a browser staying. Followers in this
process are woken at once; in another one they read the row, which is written about once a second, and hear of what
comes in between while Redis is there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from chat import elsewhere, selectors, services
from chat.errors import Lost
from chat.types import Asked, Progress, Snapshot
from core.errors import DomainError
from core.threads import hop
from gateway.relay import open_reply
from gateway.types import Citation

SAVE_EVERY = 1.0  # seconds between two writes of the running answers
POLL_EVERY = 0.5  # seconds between two looks at the row of an answer that another process writes
LOOK_EVERY = 5.0  # seconds a follower waits for a word before it looks whether all is well

_log = logging.getLogger(__name__)


class _Running:
    """One answer being written here: its text and thought so far, and a bell for those who follow it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.text = self.thought = ""
        self.citations: dict[str, Citation] = {}  # by address: each page once, in the order they were named
        self.is_ending = False
        self.reply = open_reply(asked.admission)
        self.changed = asyncio.Event()
        self.teller = elsewhere.Teller(asked.answer_id, read=lambda: (self.text, self.thought), stop=self.reply.stop)
        self.task = asyncio.create_task(self._write(), name=f"answer {asked.answer_id}")

    async def _write(self) -> None:
        progress, code, retry_after = Progress.FAILED, Lost.code, 0
        try:
            async with self.reply as reply:
                async for chunk in reply:
                    self._keep(chunk.citations)
                    if chunk.text or chunk.thought:
                        self.text += chunk.text
                        self.thought += chunk.thought
                        self._ring()
            progress, code = (Progress.STOPPED if self.reply.is_stopped else Progress.COMPLETE), ""
        except DomainError as error:
            code, retry_after = error.code, int(error.headers.get("retry-after", 0))
        finally:
            self.is_ending = True
            await self._end(progress=progress, code=code, retry_after=retry_after)

    async def _end(self, **how: Any) -> None:
        answer_id = self.asked.answer_id
        try:
            await hop(
                services.finish_answer,
                answer_id=answer_id,
                text=self.text,
                thought=self.thought,
                citations=[*self.citations.values()],
                **how,
            )
        finally:
            del _running[answer_id]
            self._ring()
            self.teller.end()

    def _keep(self, citations: Iterable[Citation]) -> None:
        for citation in citations:
            if len(self.citations) < services.MOST_SOURCES:
                self.citations.setdefault(citation.url, citation)

    def _ring(self) -> None:
        bell, self.changed = self.changed, asyncio.Event()
        bell.set()
        self.teller.tell()


_running: dict[UUID, _Running] = {}
_keeper: asyncio.Task[None] | None = None


def start(asked: Asked) -> None:
    """Begin to write an answer; call it on the event loop that serves pages."""
    global _keeper  # noqa: PLW0603  one keeper per process, like the table of running answers it keeps
    _running[asked.answer_id] = _Running(asked)
    if _keeper is None or _keeper.done():
        _keeper = asyncio.create_task(_keep(), name="keeper of running answers")


def stop(answer_id: UUID) -> None:
    """Stop an answer, here or elsewhere; where it is not heard the keeper sees the row's `wants_stop`."""
    if running := _running.get(answer_id):
        running.reply.stop()
    else:
        elsewhere.stop(answer_id)


async def follow(answer_id: UUID) -> AsyncIterator[Snapshot]:
    """How far the answer has come: now, whenever it grows, at least every few seconds; lastly its end.

    No database connection is held between two snapshots.

    Raises:
        NotFound: the answer is gone.
    """
    clock = asyncio.get_running_loop().time
    with elsewhere.following(answer_id) as hearer:
        while True:
            if running := _running.get(answer_id):
                changed, prompts = running.changed, running.asked.admission.prompts
                yield Snapshot(running.text, Progress.RUNNING, prompts, thought=running.thought)
                await _wait(changed, LOOK_EVERY)
                continue
            row = await hop(selectors.get_snapshot, answer_id)
            if row.is_abandoned:
                await hop(services.end_abandoned_answers)
                continue
            if row.progress != Progress.RUNNING:
                yield row
                return
            hearer.read(row)
            looked_at = clock()
            while (heard := hearer.snapshot) and clock() < looked_at + LOOK_EVERY:
                changed = hearer.changed
                yield heard
                if not await _wait(changed, POLL_EVERY):
                    break


async def shutdown(*, patience: float) -> None:
    """Let running answers finish for `patience` seconds, then end the rest with the text they have."""
    if tasks := [running.task for running in _running.values()]:
        _done, unfinished = await asyncio.wait(tasks, timeout=patience)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
    await elsewhere.news.close()


async def _keep() -> None:
    """Once a second, as long as anything is running: save, renew leases, obey a stop pressed elsewhere."""
    while _running:
        await asyncio.sleep(SAVE_EVERY)
        growing = {answer_id: running for answer_id, running in _running.items() if not running.is_ending}
        if not growing:
            continue
        try:
            unwanted = await hop(
                services.save_progress,
                texts={answer_id: running.text for answer_id, running in growing.items()},
                thoughts={answer_id: running.thought for answer_id, running in growing.items()},
            )
        except DatabaseError as error:
            _log.warning("answers not saved, trying again: %s", type(error).__name__)
            continue
        for answer_id in unwanted:
            growing[answer_id].reply.stop()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether it came in time."""
    try:
        return await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
