"""How long a busy process leaves a provider unread after each read, so that several pieces arrive in one.

A process that is late reads the same bytes in fewer, larger pieces, and has time again for those who have just come
(docs/decisions/0007). One with time on its hands never pauses.
"""

import asyncio
import time

_TICK = 0.05  # seconds between two looks at the clock
_LATE = 0.004  # seconds a look may be late without being called busy
_LONGEST = 0.06  # seconds no reader notices


class Pace:
    """The pause of one process: rises while its loop is late, falls while it is not."""

    def __init__(self) -> None:
        self.pause = 0.0  # seconds
        self.lateness = 0.0  # seconds, of the last look: what a call waits for its turn
        self._due = 0.0
        self._looking: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look, on this loop."""
        self.stop()
        self._look_later()

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
        self.pause = self.lateness = 0.0

    def note(self, lateness: float) -> None:
        """One look was so many seconds late."""
        self.lateness = lateness
        step = 0.01 if lateness > _LATE else -0.002
        self.pause = min(_LONGEST, max(0.0, self.pause + step))

    def _look(self) -> None:
        self.note(time.monotonic() - self._due)
        self._look_later()

    def _look_later(self) -> None:
        self._due = time.monotonic() + _TICK
        self._looking = asyncio.get_running_loop().call_later(_TICK, self._look)


pace = Pace()
