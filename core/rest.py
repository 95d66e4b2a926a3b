"""Redis is worth waiting for only so long, and one that failed is left alone for a while (C13)."""

import time

ANSWER_SECONDS = 0.25  # how long one answer is waited for
REST_SECONDS = 1.0


class Rest:
    """For a while a Redis that failed is not asked again: every question could cost all that it is waited for."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        return self._until <= time.monotonic()

    def begin(self) -> None:
        """It has failed just now."""
        self._until = time.monotonic() + REST_SECONDS

    def end(self) -> None:
        """It may be asked."""
        self._until = 0.0
