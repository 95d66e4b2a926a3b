"""Memory over a long time: always so many streams, until the time is over; a line a minute."""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.http import Drivers, gateway_in, provider_in
from bench.processes import memory_of, tree_of

_LONG_STREAM = "mock-500-40"  # twenty seconds


def main(options: argparse.Namespace) -> None:
    """Print what the server uses, minute by minute."""
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as name, ExitStack() as stack:
        folder = Path(name)
        drivers = Drivers(folder)
        port = stack.enter_context(provider_in(folder, drivers))
        ours = stack.enter_context(gateway_in(folder, f"http://127.0.0.1:{port}"))
        end = time.monotonic() + options.minutes * 60
        print("| minute | streams ended well | MiB | open files | threads |\n|---|---|---|---|---|")
        print(_row(0, 0, ours.pid), flush=True)
        began, printed, complete = time.monotonic(), 0, 0
        while time.monotonic() < end:
            arguments = ["-m", _LONG_STREAM, "-n", "500", "-S", str(options.streams), "-r", "1000", "-t", "120"]
            complete += drivers.run("streams", ours, *arguments)["complete"]
            if (minute := int((time.monotonic() - began) / 60)) > printed:
                printed = minute
                print(_row(minute, complete, ours.pid), flush=True)


def _row(minute: int, complete: int, root: int) -> str:
    pids = tree_of(root)
    files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids)
    return f"| {minute} | {complete} | {memory_of(root) / 1024:.0f} | {files} | {threads} |"
