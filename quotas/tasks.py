"""Background work of the ledger: one line to the service each; each repeats harmlessly."""

from celery import shared_task

from quotas import services


@shared_task(name="quotas.tasks.tell")
def tell() -> None:
    """Write off grants that are over, and mail what people should know."""
    services.lapse_grants()
    services.find_warnings()
    services.send_warnings()
    services.send_requests()
