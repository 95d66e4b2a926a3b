"""An answer as server-sent events: `thought` and `text` as they grow, `end` or `error` at the end, else a comment.

The `id` of an event is the place up to which it was sent so far, so that a reader who comes back says where it was.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from chat import answering
from chat.types import Place, Progress
from core.threads import hop

HEARTBEAT = 15.0  # seconds of silence a proxy must never see


async def events_of(answer_id: UUID, *, after: Place, ending: Callable[[], dict[str, Any]]) -> AsyncIterator[bytes]:
    """The events of one answer from the place `after` on.

    Args:
        ending: what the last event tells; it reads the database and is called in a hop.
    """
    clock = asyncio.get_running_loop().time
    spoken_at = clock()
    yield b"retry: 1000\n\n"
    async for snapshot in answering.follow(answer_id):
        thought, text = snapshot.thought[after.thought :], snapshot.text[after.text :]
        if thought:
            after = Place(after.text, snapshot.place.thought)
            yield frame("thought", {"text": thought}, at=after)
        if text:
            after = Place(snapshot.place.text, after.thought)
            yield frame("text", {"text": text}, at=after)
        if thought or text:
            spoken_at = clock()
        elif clock() - spoken_at >= HEARTBEAT:
            yield b": still here\n\n"
            spoken_at = clock()
        if snapshot.progress != Progress.RUNNING:
            name = "error" if snapshot.progress == Progress.FAILED else "end"
            yield frame(name, await hop(ending), at=snapshot.place)


def frame(name: str, data: dict[str, Any], *, at: Place) -> bytes:
    """One event; JSON keeps its data on one line."""
    return f"event: {name}\nid: {at}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
