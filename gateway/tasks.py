"""Wake-ups for the gateway. Whatever runs here may also be run by hand: `manage.py sweep`."""

from celery import shared_task

from gateway import admission


@shared_task(name="gateway.tasks.sweep")
def sweep() -> None:
    """End the calls whose process died."""
    admission.sweep()
