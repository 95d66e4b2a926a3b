"""Processes under measurement: started, pinned, watched for CPU and memory, and ended."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")
_DRAIN = 1.0  # seconds: work that a server put off counts too
_SAMPLE = 0.5


def pinned(cpu: int, command: list[str]) -> list[str]:
    """The command, kept to one CPU where the machine has two and can do that: servers on 1, drivers on 0."""
    return ["taskset", "-c", str(cpu), *command] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else command


@contextmanager
def running(
    command: list[str],
    *,
    port: int,
    log: Path,
    cpu: int = 1,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """A process that listens on `port` when the block begins; its id."""
    with (
        log.open("ab") as words,
        subprocess.Popen(pinned(cpu, command), cwd=cwd, env=env, stdout=words, stderr=words) as process,
    ):
        try:
            latest = time.monotonic() + 120
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > latest:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


class Watch:
    """CPU seconds and memory of a tree of processes during a with-block."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._over = threading.Event()
        self.cpu = 0.0
        self.idle = self.peak = memory_of(root)

    def __enter__(self) -> Self:
        self._before = cpu_of(self._root)
        self._sampling = threading.Thread(target=self._sample, daemon=True)
        self._sampling.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._sampling.join()
        time.sleep(_DRAIN)
        self.cpu = cpu_of(self._root) - self._before

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE):
            self.peak = max(self.peak, memory_of(self._root))


def cpu_of(root: int) -> float:
    """Seconds of user and system time of a process and all below it."""
    ticks = 0
    for pid in tree_of(root):
        fields = _fields(pid)
        ticks += sum(int(field) for field in fields[11:13])
    return ticks / _TICK


def memory_of(root: int) -> int:
    """KiB of proportional memory of a process and all below it."""
    total = 0
    for pid in tree_of(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def tree_of(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, rest = [], [root]
    while rest:
        pid = rest.pop()
        found.append(pid)
        rest += children.get(pid, [])
    return found


def _fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on; empty when the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
