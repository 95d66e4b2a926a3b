"""What is logged and how: one line of JSON per event on standard error, with the id of its request.

Neither prompt text nor secrets: query strings are cut off, bodies and local variables are never written.
"""

from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.types import Processor

Event = MutableMapping[str, Any]


def cut_query(_logger: object, _method: str, event: Event) -> Event:
    """Processor: what people search for stands behind the question mark of the address."""
    for name in ("request", "event"):
        if isinstance(event.get(name), str):
            event[name] = event[name].split("?", 1)[0]
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    cut_query,
]


def configure(level: str = "INFO") -> dict[str, Any]:
    """Set structlog up, and give Django's LOGGING setting that makes the standard library write the same lines.

    Args:
        level: the least important level that is written. Whatever it is, those who tell what they carry stay quiet.
    """
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.processors.format_exc_info],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.db.backends": {"level": "INFO"},  # below that it tells every query, prompts and all
            "django.server": {"handlers": [], "propagate": True},
            # They tell every request they make, address and all.
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "asyncio": {"level": "INFO"},
            "PIL": {"level": "INFO"},
        },
    }
