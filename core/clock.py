"""The one clock. Everything that asks for the time asks here, so that tests can move it."""

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return timezone.now()
