"""An answer as server-sent events: `text` as it grows, `end` or `error` at the end, a comment while it is silent.

The `id` of an event is the number of characters sent so far, so that a reader who comes back says where it was.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from chat import answering
from chat.types import Progress
from core.threads import hop

HEARTBEAT = 15.0  # seconds of silence a proxy must never see


async def events_of(answer_id: UUID, *, after: int, ending: Callable[[], dict[str, Any]]) -> AsyncIterator[bytes]:
    """The events of one answer from its character `after` on.

    Args:
        ending: what the last event tells; it reads the database and is called in a hop.
    """
    clock = asyncio.get_running_loop().time
    spoken_at = clock()
    yield b"retry: 1000\n\n"
    async for snapshot in answering.follow(answer_id):
        if len(snapshot.text) > after:
            yield frame("text", {"text": snapshot.text[after:]}, at=len(snapshot.text))
            after, spoken_at = len(snapshot.text), clock()
        elif clock() - spoken_at >= HEARTBEAT:
            yield b": still here\n\n"
            spoken_at = clock()
        if snapshot.progress != Progress.RUNNING:
            name = "error" if snapshot.progress == Progress.FAILED else "end"
            yield frame(name, await hop(ending), at=len(snapshot.text))


def frame(name: str, data: dict[str, Any], *, at: int) -> bytes:
    """One event; JSON keeps its data on one line."""
    return f"event: {name}\nid: {at}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
