"""Wake-ups for work whose rows are the truth: losing one, or having it twice, changes nothing."""

import asyncio
import logging

from celery import shared_task
from kombu.exceptions import OperationalError

from chat import drawing, services

_log = logging.getLogger(__name__)


@shared_task
def run_image_jobs() -> int:
    """Draw the image jobs that wait."""
    return asyncio.run(drawing.draw_waiting())


@shared_task
def end_abandoned_answers() -> int:
    """Mark answers whose process died as failed."""
    return services.end_abandoned_answers()


def wake_image_worker() -> None:
    """Tell a worker that a job waits. Without a broker the job is found by the clock instead."""
    try:
        run_image_jobs.delay()
    except OperationalError as error:
        _log.warning("no broker to wake a worker with: %s", type(error).__name__)
