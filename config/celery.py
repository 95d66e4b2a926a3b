"""Background work: rows are the truth, a message is only a wake-up, and losing the broker loses nothing.

Without REDIS_URL the broker is a folder under DATA_DIR and one worker with beat reads it; with it, Redis and any
number of workers, and beat exactly once.
"""

import sys
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_init
from django.conf import settings
from django.core.checks import Tags, run_checks
from django.db import Error

from config import env

env.choose_settings()


def _folder_broker() -> dict[str, Any]:
    """kombu's filesystem transport: both folders must exist before it is used."""
    queue = settings.DATA_DIR / "queue"
    control = queue / "control"
    control.mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": str(queue),
            "data_folder_out": str(queue),
            "control_folder": str(control),
            "store_processed": False,
            "polling_interval": 0.1,
        },
    }


app = Celery("campus")
app.conf.update(
    **({"broker_url": settings.REDIS_URL} if settings.REDIS_URL else _folder_broker()),
    task_ignore_result=True,
    enable_utc=True,
    timezone="UTC",
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    # Each repeats harmlessly, and makes good a wake-up that was lost.
    beat_schedule={
        "end expired reservations": {"task": "gateway.tasks.sweep", "schedule": 30.0, "options": {"expires": 30}},
        "draw waiting images": {"task": "chat.tasks.run_image_jobs", "schedule": 10.0, "options": {"expires": 10}},
        "end abandoned answers": {
            "task": "chat.tasks.end_abandoned_answers",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "purge old texts": {"task": "chat.tasks.purge_texts", "schedule": crontab(hour=19, minute=30)},
        "anchor the audit log": {"task": "audit.tasks.anchor", "schedule": crontab(hour=15, minute=45)},
        "tell of quotas": {"task": "quotas.tasks.tell", "schedule": 60.0, "options": {"expires": 60}},
        "watch for alarms": {"task": "usage.tasks.watch", "schedule": 300.0, "options": {"expires": 300}},
        "send reports": {"task": "review.tasks.send_reports", "schedule": 900.0, "options": {"expires": 900}},
        "roll up usage": {"task": "usage.tasks.roll_up", "schedule": 900.0, "options": {"expires": 900}},
    },
)
app.autodiscover_tasks()


@worker_init.connect
def _check_database(**_signal: Any) -> None:
    """Refuse to start on one that may forget, as `manage.py serve` does: a worker has images drawn by providers."""
    with suppress(Error):
        found = run_checks(tags=[Tags.database], databases=["default"])
        if problems := [str(message) for message in found if message.is_serious()]:
            sys.exit("\n".join(problems))
