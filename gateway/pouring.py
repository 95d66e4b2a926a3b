"""One stream on its way from a provider to a person without a task switch between its pieces.

What a task would do by waiting is done here by watching: for a person who reads too slowly, and for a provider that
has stopped speaking.
"""

import asyncio
from collections.abc import Callable

from django.conf import settings

from gateway.types import Chunk
from gateway.upstreams.base import Pourable

# Takes the chunks of one read. What it returns is a person who reads too slowly: until it is done, the provider waits.
HandOn = Callable[[list[Chunk]], asyncio.Future[None] | None]


class Pouring:
    """Made and run once per stream."""

    def __init__(
        self,
        chunks: Pourable,
        hand_on: HandOn,
        note: Callable[[Chunk], None],
        give_up: Callable[[], None],
    ) -> None:
        """Args: `note` sees every chunk before it is handed on; `give_up` is called when the provider is silent."""
        self._chunks, self._hand_on, self._note, self._give_up = chunks, hand_on, note, give_up
        self._loop = asyncio.get_running_loop()
        self._slow: asyncio.Future[None] | None = None
        self._heard_at = self._loop.time()
        self._watching = self._loop.call_later(settings.UPSTREAM_BETWEEN_SECONDS, self._watch)

    async def run(self, ahead: list[Chunk]) -> bool:
        """Hand on what was read ahead, and the rest; true when the last byte was taken."""
        try:
            self._slow = self._hand_on(ahead)
            if self._slow is not None:
                await self._slow
            await self._chunks.pour(self._take)
            if self._slow is not None:
                await self._slow
            return True
        finally:
            self._watching.cancel()

    def _take(self, chunks: list[Chunk]) -> None:
        self._heard_at = self._loop.time()
        for chunk in chunks:
            self._note(chunk)
        self._slow = self._hand_on(chunks)
        if self._slow is not None:
            self._chunks.pause()
            self._slow.add_done_callback(self._go_on)

    def _go_on(self, slow: asyncio.Future[None]) -> None:
        if self._slow is not slow:
            return  # more has come in between, and waits for its own
        self._slow = None
        self._heard_at = self._loop.time()
        self._chunks.resume()

    def _watch(self) -> None:
        due = self._heard_at + settings.UPSTREAM_BETWEEN_SECONDS
        if self._slow is None and due <= self._loop.time():
            self._give_up()
        else:
            self._watching = self._loop.call_at(max(due, self._loop.time() + 1), self._watch)
