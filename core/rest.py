"""Redis is worth waiting for only so long, and one that failed is left alone for a while (C13)."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 0.25  # how long one answer is waited for
REST_SECONDS = 1.0


class Rest:
    """For a while a Redis that failed is not asked again: every question could cost all that it is waited for."""

    def __init__(self) -> None:
        self._until = 0.0

    def ask(self, question: Callable[[], T], instead: Callable[[], T]) -> T:
        """What Redis answers; what is answered in its place while it rests, or when asking fails.

        However it fails: what speaks no Redis, or lies, makes its client stumble in ways that nobody lists.
        """
        if self._until <= time.monotonic():
            try:
                return question()
            except Exception as error:  # noqa: BLE001  # see above
                logger.warning(
                    "Redis is away (%s): each process counts and remembers for itself.", type(error).__name__
                )
                self._until = time.monotonic() + REST_SECONDS
        return instead()

    def end(self) -> None:
        """It may be asked."""
        self._until = 0.0
