"""What a serving process does for this room beside serving: it tends what others left behind, and ends in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chat import answering, services
from core.threads import hop
from core.upkeep import every

TEND_EVERY = 10.0  # seconds
PATIENCE = 2.0  # seconds running answers may still take when the process is asked to end


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Around the life of the process. Inside the gateway's own: what is written here needs its replies."""
    tending = asyncio.create_task(every(TEND_EVERY, _tend), name="upkeep of answers and image jobs")
    try:
        yield
    finally:
        tending.cancel()
        await answering.shutdown(patience=PATIENCE)


async def _tend() -> None:
    """Neither a dead process nor a missing worker leaves a person waiting without a word."""
    await hop(services.end_abandoned_answers)
    await hop(services.tend_image_jobs)
    await hop(services.remove_temporary_chats)
    await hop(services.remove_forgotten_attachments)
