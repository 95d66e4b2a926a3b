"""Background work: one line to the service each."""

from celery import shared_task

from usage import services


@shared_task(name="usage.tasks.roll_up")
def roll_up() -> None:
    """Write the totals of the days that are over."""
    services.roll_up()


@shared_task(name="usage.tasks.watch")
def watch() -> None:
    """Find what administrators should know, and mail it to those who want it."""
    services.find_alarms()
    services.send_alarms()
