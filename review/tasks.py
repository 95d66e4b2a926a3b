"""Background work: one line to the service."""

from celery import shared_task

from review import reporting


@shared_task(name="review.tasks.send_reports")
def send_reports() -> None:
    """Mail the pages of use of weeks and months that are over."""
    reporting.send_reports()
