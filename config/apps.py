from django.apps import AppConfig

from config import celery, checks


class ConfigConfig(AppConfig):
    """The top floor: wiring, and the commands that need every room."""

    name = "config"
    # Holding the Celery app here makes `shared_task(...).delay()` of any room find its broker.
    celery_app = celery.app
    # And these register the checks.
    settings_check = checks.check_settings_agree
    durability_check = checks.check_database_is_durable
