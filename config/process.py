"""How a serving process is set up: when it looks for cycles, how its threads take turns, how many files it expects."""

import fcntl
import gc
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

_YOUNG = 10_000  # new objects between two looks for cycles
_OLDER, _OLDEST = 100, 20  # looks at the new between two at what has stayed, and of those between two at everything
# Seconds a thread keeps the interpreter while another wants it. Whoever writes the ledger asks for it again after every
# row, and at five times as much, as usual, a first token waits for that (docs/decisions/0015).
_TURN = 0.001
_FILES = 8192  # open files a process is ready for; each stream takes two


def set_up() -> None:
    """Set this process for serving, when everything is loaded."""
    spare_collector()
    sys.setswitchinterval(_TURN)
    _expect_files()


def spare_collector() -> None:
    """Leave what is loaded alone from now on, and look at what is new as seldom as makes nobody wait for it.

    Code and settings stay, and calls leave no cycles: at its usual pace the collector would take a quarter of a busy
    process to find nothing. The more seldom it comes, the longer each look stops everybody (docs/decisions/0008).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDEST)


def _expect_files() -> None:
    """Let the kernel's table of the process's files grow now: when it grows later, all threads wait for 7 to 16 ms."""
    most, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError), Path(os.devnull).open("rb") as file:  # then it grows later
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, min(most, _FILES) - 1))
