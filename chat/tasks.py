"""Wake-ups for work whose rows are the truth: losing one, or having it twice, changes nothing."""

import asyncio
import logging
from uuid import UUID

from celery import shared_task

from chat import drawing, services
from gateway import relay

_log = logging.getLogger(__name__)


@shared_task
def run_image_jobs() -> int:
    """Draw the image jobs that wait, or whose worker died."""
    job_ids = services.tend_image_jobs()
    return asyncio.run(_draw(job_ids)) if job_ids else 0


@shared_task
def end_abandoned_answers() -> int:
    """Mark answers whose process died as failed."""
    return services.end_abandoned_answers()


@shared_task
def purge_texts() -> None:
    """Remove the texts and pictures whose time is over."""
    services.purge_texts()


def wake_image_worker() -> None:
    """Tell a worker that a job waits. Without a broker the job is found by the clock instead."""
    try:
        run_image_jobs.delay()
    except Exception as error:  # noqa: BLE001  # whatever a broker says that is none, or lies
        _log.warning("no broker to wake a worker with: %s", type(error).__name__)


async def _draw(job_ids: list[UUID]) -> int:
    async with relay.lifespan():
        return await drawing.draw_all(job_ids)
