from django.apps import AppConfig
from django.db.backends.signals import connection_created

from core import clock


class CoreConfig(AppConfig):
    """The ground floor: the clock goes by the database."""

    name = "core"

    def ready(self) -> None:
        """Listen to new connections."""
        connection_created.connect(clock.agree, dispatch_uid="clock")
