"""The schedule wakes what exists."""

from config.celery import app


def test_every_scheduled_task_is_a_task() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
