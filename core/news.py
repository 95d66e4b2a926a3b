"""What processes tell each other at once, through Redis while it is there: a hint, never the truth.

Whoever tells or listens waits for nothing and fails of nothing; what could not be told soon is forgotten. Redis may
lie: only what is sealed for its channel is heard.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

from redis.asyncio import ConnectionPool
from redis.maint_notifications import MaintNotificationsConfig

from core.rest import REST_SECONDS
from core.seals import seal, unseal

logger = logging.getLogger(__name__)

PACE = 0.05  # seconds between two rounds of telling: what comes in between is told together
_LOOK_EVERY = 5.0  # seconds of silence after which Redis is asked whether it is there
_PATIENCE = 2.0  # seconds for one answer of Redis: nobody waits for it
_MOST_KEPT = 1000  # to be told in one round
_OUTAGE = 60.0  # seconds without trouble after which trouble is news

Compose = Callable[[], bytes]


class News:
    """Of one process, on one connection, which lasts while it listens to something or has something to tell.

    Belongs to one event loop; `close` before another takes it.
    """

    def __init__(self, url: str) -> None:
        """By the address of Redis; without one nothing is told and nothing heard."""
        # In the third protocol one connection both tells and listens, in order. Nobody sends us to another Redis.
        way = {"protocol": 3, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}
        patience = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
        self._pool: Any = ConnectionPool.from_url(url, **way, **patience) if url else None
        self._ears: dict[str, Callable[[bytes], None]] = {}
        self._outbox: dict[tuple[str, Compose], Callable[[], None] | None] = {}
        self._troubled_at = -math.inf
        self._task: asyncio.Task[None] | None = None

    def listen(self, channel: str, hear: Callable[[bytes], None]) -> None:
        """Have `hear` called with whatever our processes tell there, from now on and until `leave`."""
        if self._pool and self._ears.get(channel) != hear:
            self._ears[channel] = hear
            self._wake()

    def leave(self, channel: str) -> None:
        if self._ears.pop(channel, None):
            self._wake()

    def tell(self, channel: str, compose: Compose, unheard: Callable[[], None] | None = None) -> None:
        """Tell what `compose` makes when it is its turn, once however often this was said until then.

        Args:
            unheard: called if nobody listens there.
        """
        if self._pool and len(self._outbox) < _MOST_KEPT:
            self._outbox[channel, compose] = unheard
            self._wake()

    async def close(self) -> None:
        """Fall silent, whatever was still to be told."""
        self._ears.clear()  # until Python 3.13 a task group that fails just then swallows the cancellation
        self._outbox.clear()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._due = asyncio.Event()
            # In a context of its own: what it logs belongs to no request.
            self._task = asyncio.create_task(self._live(), name="news of other processes", context=Context())
        self._due.set()

    async def _live(self) -> None:
        while self._ears or self._outbox:
            line = self._pool.make_connection()
            try:
                await line.connect()
                self._asked: deque[Callable[[], None] | None] = deque()
                self._answered = asyncio.Event()
                async with asyncio.TaskGroup() as group:
                    hearing = group.create_task(self._hear(line))
                    await self._speak(line)
                    hearing.cancel()
            except Exception as error:  # noqa: BLE001  a Redis that lies may break its client anywhere
                self._note(error)
                self._outbox.clear()
                await asyncio.sleep(REST_SECONDS)
            finally:
                await line.disconnect(nowait=True)

    async def _speak(self, line: Any) -> None:
        """Round after round, each with its answers: one who is slow gets no more than it takes."""
        listening: set[str] = set()
        while self._ears or self._outbox:
            self._due.clear()
            ears = set(self._ears)
            changes = {"SUBSCRIBE": ears - listening, "UNSUBSCRIBE": listening - ears}
            commands: list[tuple[str | bytes, ...]] = [(name, *those) for name, those in changes.items() if those]
            listening = ears
            outbox, self._outbox = self._outbox, {}
            for (channel, compose), unheard in outbox.items():
                commands.append(("PUBLISH", channel, seal(_place(channel), compose())))
                self._asked.append(unheard)
            self._answered.clear()
            await line.send_packed_command(line.pack_commands([*commands, ("PING",)]))
            async with asyncio.timeout(_PATIENCE):
                await self._answered.wait()
            await asyncio.sleep(PACE)
            if self._ears:
                await _wait(self._due)

    async def _hear(self, line: Any) -> None:
        while True:
            match await line.read_response(timeout=math.inf, push_request=True):
                case [b"message", bytes(channel), bytes(sealed)]:
                    self._take(channel.decode(), sealed)
                case int(listeners):
                    unheard = self._asked.popleft()
                    if unheard and not listeners:
                        unheard()
                case b"PONG":
                    self._answered.set()
            await asyncio.sleep(0)  # what has come already is read without a turn of the loop: others want one

    def _take(self, channel: str, sealed: bytes) -> None:
        hear, message = self._ears.get(channel), unseal(_place(channel), sealed)
        if hear and message is not None:
            hear(message)

    def _note(self, error: Exception) -> None:
        """Once for an outage, without what was said: it may be in the error's words."""
        now = time.monotonic()
        if now > self._troubled_at + _OUTAGE:
            causes = error.exceptions if isinstance(error, ExceptionGroup) else [error]
            names = ", ".join(type(cause).__name__ for cause in causes)
            logger.warning("Redis is away (%s): what other workers write is read from the database.", names)
        self._troubled_at = now


def _place(channel: str) -> str:
    return f"{__name__} {channel}"


async def _wait(due: asyncio.Event) -> None:
    """Until there is something to tell, or for so long that it is time to ask whether anybody is there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_EVERY):
            await due.wait()
