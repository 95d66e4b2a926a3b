"""What is logged and how: one line of JSON per event on standard error, with the id of its request.

Neither prompt text nor secrets: query strings and the keys in letters are cut off, an error is told by its first line,
bodies and local variables are never written.
"""

import re
from collections.abc import Iterator, MutableMapping
from traceback import format_tb
from typing import Any

import structlog
from structlog.types import Processor
from structlog.typing import ExcInfo

Event = MutableMapping[str, Any]

_LETTERS_KEY = re.compile(r"(/reset/key/)[^/]+")  # whoever reads it may choose somebody's password


def cut_address(_logger: object, _method: str, event: Event) -> Event:
    """Processor: what people search for stands behind the question mark of the address, and a key in some."""
    for name in ("request", "event"):
        if isinstance(event.get(name), str):
            event[name] = _LETTERS_KEY.sub(r"\1…", event[name].split("?", 1)[0])
    return event


def tell_error(exc_info: ExcInfo) -> str:
    """The tracebacks, and of what each error says the first line: below it PostgreSQL quotes the row it refused."""
    return "\n\n".join(
        f"Traceback (most recent call last):\n{''.join(format_tb(error.__traceback__))}"
        f"{type(error).__qualname__}: {''.join(str(error).splitlines()[:1])}"
        for error in reversed(list(_list_causes(exc_info[1])))
    )


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


_tell_errors = structlog.processors.ExceptionRenderer(tell_error)
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    cut_address,
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
                "foreign_pre_chain": [*_SHARED, _tell_errors],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _tell_errors,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.db.backends": {"level": "INFO"},  # below that it tells every query, prompts and all
            "django.template": {"level": "INFO"},  # it tells a page's whole context: what was typed, people and words
            "django.server": {"handlers": [], "propagate": True},
            # They tell every request they make, address and all.
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "push_response": {"level": "INFO"},  # redis-py tells what it hears: words of answers
            "asyncio": {"level": "INFO"},
            "PIL": {"level": "INFO"},
        },
    }
