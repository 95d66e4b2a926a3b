"""System checks for settings that contradict each other; they run before every verb of manage.py."""

from typing import Any

from django.conf import settings
from django.core import checks


@checks.register
def check_settings_agree(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Pairs that are each fine and together are not."""
    found: list[checks.CheckMessage] = []
    if settings.BEHIND_TLS and settings.DEBUG:
        found.append(
            checks.Error(
                "BEHIND_TLS and DEBUG are both on.", hint="Debug pages show settings: set DEBUG=0.", id="campus.E001"
            )
        )
    if settings.BEHIND_TLS and not settings.TRUSTED_PROXIES:
        found.append(
            checks.Error(
                "BEHIND_TLS is on and TRUSTED_PROXIES is empty: every page would send people to itself.",
                hint="Set TRUSTED_PROXIES to the address of the proxy that ends TLS.",
                id="campus.E002",
            )
        )
    if settings.WORKERS > 1 and not settings.REDIS_URL:
        found.append(
            checks.Warning(
                "WORKERS is above 1 without REDIS_URL: rate limits are counted once per process.",
                hint="Set REDIS_URL, or WORKERS=1.",
                id="campus.W001",
            )
        )
    return found
