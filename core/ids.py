"""Identifiers that are safe to show: random, and ordered by time where a table grows by them."""

import os
import time
import uuid
from struct import unpack

# What an id tells of the time is the nanosecond in 4096ths of a millisecond; the next one is this much later at least.
_STEP = 1_000_000 // 4096 + 1
_last = 0
# Random numbers of 64 bits that are drawn already: asking the system for each would cost more than the rest of the id.
_ahead: list[int] = []
os.register_at_fork(after_in_child=_ahead.clear)  # two processes must not draw the same


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): the time first, so that new rows land at the end of an index.

    What one thread makes is in order, within a millisecond too: a question stands before its answer.
    """
    global _last  # noqa: PLW0603
    now = _last = max(time.time_ns(), _last + _STEP)
    milliseconds, rest = divmod(now, 1_000_000)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (rest << 12) // 1_000_000 << 64
    value |= 0x2 << 62 | _draw() >> 2
    return uuid.UUID(int=value)


def _draw() -> int:
    try:
        return _ahead.pop()
    except IndexError:
        drawn: tuple[int, ...] = unpack("64Q", os.urandom(64 * 8))
        _ahead.extend(drawn[1:])
        return drawn[0]
