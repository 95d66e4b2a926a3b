"""Image jobs while they are being drawn: claimed by their lease, relayed once, repainted, stored.

The rows decide; this only moves bytes, on whichever event loop it is called.
"""

import asyncio
import json
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from chat import services
from chat.pictures import Canvas, NotAPicture, repaint
from core.errors import DomainError
from core.threads import hop
from gateway.errors import UpstreamError
from gateway.relay import Reply, open_reply
from gateway.types import ProviderKind

MOST_AT_ONCE = 4
RENEW_EVERY = 1.0  # seconds: how soon a Stop is heard; services.images.LEASE is far longer


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
    reply = open_reply(admission)
    renewing = asyncio.create_task(_renew(job_id, reply))
    is_placeholder = admission.target.kind == ProviderKind.PLACEHOLDER
    try:
        canvases = await _relay(job_id, reply, is_placeholder=is_placeholder)
        if reply.is_stopped:
            await hop(services.end_stopped_image_job, job_id=job_id)
        else:
            await hop(services.finish_image_job, job_id=job_id, canvases=canvases, is_placeholder=is_placeholder)
    except DomainError as error:
        await hop(services.fail_image_job, job_id=job_id, code=error.code)
    finally:
        renewing.cancel()
    return True


async def _relay(job_id: UUID, reply: Reply, *, is_placeholder: bool) -> list[Canvas]:
    canvases: list[Canvas] = []
    async with reply:
        async for chunk in reply:
            event = _object(chunk.data)
            if str(event.get("type", "")).endswith(".partial_image"):
                await _preview(job_id, event)
                continue
            # Before the reply is complete: garbage is the provider's failure, and the call must end as one.
            canvases += await asyncio.to_thread(_canvases, event, is_placeholder=is_placeholder)
    return canvases


async def _preview(job_id: UUID, event: dict[str, Any]) -> None:
    """A half-drawn picture is a courtesy: one that cannot be read is left out."""
    with suppress(NotAPicture):
        canvas = await asyncio.to_thread(repaint, str(event.get("b64_json") or ""), is_placeholder=False)
        await hop(services.keep_preview, job_id=job_id, canvas=canvas)


def _canvases(event: dict[str, Any], *, is_placeholder: bool) -> list[Canvas]:
    canvases = []
    for item in _items(event):
        with suppress(NotAPicture):
            canvases.append(repaint(str(item.get("b64_json") or ""), is_placeholder=is_placeholder))
    if not canvases:
        raise UpstreamError
    return canvases


def _items(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a whole answer, or of the last event of a streamed one."""
    found = event.get("data", [event] if "b64_json" in event else [])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise UpstreamError from error
    if not isinstance(found, dict):
        raise UpstreamError
    return found


async def _renew(job_id: UUID, reply: Reply) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY)
        if await hop(services.renew_image_job, job_id=job_id):
            reply.stop()
