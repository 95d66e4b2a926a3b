"""How long a busy process leaves a provider unread after each read, so that several pieces arrive in one.

A process that is late reads the same bytes in fewer, larger pieces, and has time again for those who have just come
(docs/decisions/0007). One with time on its hands never pauses.
"""

import asyncio
import time
from collections.abc import Callable

_TICK = 0.05  # seconds between two looks
_LATE = 0.004  # seconds a look may be late without being called busy
_BUSY, _AT_EASE = 0.4, 0.2  # of one CPU: above the first those who come would wait, below the second they do not
_LONGEST = 0.12  # seconds no reader notices
_RISE, _FALL = 0.02, 0.004  # seconds by which a look changes the pause
_TOGETHER = 0.01  # seconds within which pauses end together


class Pace:
    """The pause of one process: rises while it is busy or late, falls while it has time."""

    def __init__(self) -> None:
        self.pause = 0.0  # seconds
        self._due = 0.0
        self._worked = 0.0
        self._looking: asyncio.TimerHandle | None = None
        self._together: list[Callable[[], None]] = []  # those whose pause ends with the latest timer
        self._together_until = 0.0

    def start(self) -> None:
        """Begin to look, on this loop."""
        self.stop()
        self._worked = time.process_time()
        self._look_later()

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
        self.pause = self._together_until = 0.0

    def note(self, lateness: float, work: float) -> None:
        """One look was so many seconds late, and since the one before the process used this part of a CPU."""
        if lateness > _LATE or work > _BUSY:
            self.pause = min(_LONGEST, self.pause + _RISE)
        elif work < _AT_EASE:
            self.pause = max(0.0, self.pause - _FALL)

    def rest(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the pause is over. Pauses that begin shortly after one another end together."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._together_until:
            self._together, self._together_until = [], now + _TOGETHER
            loop.call_at(now + self.pause, self._wake, self._together)
        self._together.append(wake)

    def _wake(self, together: list[Callable[[], None]]) -> None:
        if together is self._together:
            self._together, self._together_until = [], 0.0  # whoever comes now is too late for this timer
        for wake in together:
            wake()

    def _look(self) -> None:
        worked, now = time.process_time(), time.monotonic()
        lateness = now - self._due
        self.note(lateness, (worked - self._worked) / (_TICK + lateness))
        self._worked = worked
        self._look_later()

    def _look_later(self) -> None:
        self._due = time.monotonic() + _TICK
        self._looking = asyncio.get_running_loop().call_later(_TICK, self._look)


pace = Pace()
