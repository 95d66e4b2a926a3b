"""Image jobs while they are being drawn: claimed by their lease, relayed once, repainted, stored.

The rows decide; this only moves bytes, on whichever event loop it is called.
"""

import asyncio
import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

from chat import services
from chat.pictures import Canvas, NotAPicture, repaint
from core.errors import DomainError
from core.threads import hop
from gateway.errors import UpstreamError
from gateway.relay import open_reply
from gateway.types import Admission, ProviderKind

MOST_AT_ONCE = 4
RENEW_EVERY = 5.0  # seconds; services.images.LEASE is four times as long


async def draw_all(job_ids: Collection[UUID]) -> int:
    """Draw the jobs that are still to be claimed, a few at a time; returns how many were claimed here."""
    room = asyncio.Semaphore(MOST_AT_ONCE)

    async def draw_in_turn(job_id: UUID) -> bool:
        async with room:
            return await draw(job_id)

    return sum(await asyncio.gather(*(draw_in_turn(job_id) for job_id in job_ids)))


async def draw(job_id: UUID) -> bool:
    """Draw one job to its end; False when another worker has it or there is nothing to do."""
    admission = await hop(services.claim_image_job, job_id=job_id)
    if admission is None:
        return False
    renewing = asyncio.create_task(_renew(job_id))
    is_placeholder = admission.target.kind == ProviderKind.PLACEHOLDER
    try:
        canvases = await _relay(admission, is_placeholder=is_placeholder)
        await hop(services.finish_image_job, job_id=job_id, canvases=canvases, is_placeholder=is_placeholder)
    except DomainError as error:
        await hop(services.fail_image_job, job_id=job_id, code=error.code)
    finally:
        renewing.cancel()
    return True


async def _relay(admission: Admission, *, is_placeholder: bool) -> list[Canvas]:
    canvases: list[Canvas] = []
    async with open_reply(admission) as reply:
        async for chunk in reply:
            # Before the reply is complete: garbage is the provider's failure, and the call must end as one.
            canvases += await asyncio.to_thread(_canvases, chunk.data, is_placeholder=is_placeholder)
    return canvases


def _canvases(body: bytes, *, is_placeholder: bool) -> list[Canvas]:
    canvases = []
    for item in _items(body):
        try:
            canvases.append(repaint(str(item.get("b64_json") or ""), is_placeholder=is_placeholder))
        except NotAPicture:
            continue
    if not canvases:
        raise UpstreamError
    return canvases


def _items(body: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(body)["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise UpstreamError from error
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


async def _renew(job_id: UUID) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY)
        await hop(services.renew_image_job, job_id=job_id)
