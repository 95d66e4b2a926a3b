"""The real server, `manage.py serve`, in processes of its own against the database of the test."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
SERVE = ["manage.py", "serve"]
SECRET_KEY = "not a secret"  # of every server here


@dataclass
class Server:
    """A running server. `log` is where it writes."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.address}/v1"

    @property
    def stands_still(self) -> bool:
        """Whether a SIGSTOP has reached all its threads."""
        return {_read_stat(file)[0] for file in Path(f"/proc/{self.process.pid}/task").glob("*/stat")} == {"T"}

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal the server and its workers, and wait for the end of them all; its exit status.

        A worker that outlived its server would sweep the database of the tests after it.
        """
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        status = self.process.wait(40)
        latest = time.monotonic() + 40
        while left := _list_members(self.process.pid):
            assert time.monotonic() < latest, f"of the server's processes there are still {left}"
            time.sleep(0.05)  # they are no children of ours: there is nothing to wait for
        return status


def _list_members(group: int) -> list[int]:
    """The living processes of a group: whoever ended and waits for init to take note of it is not among them."""
    members = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended in the meantime
            state, _parent, its_group = _read_stat(file)
            if int(its_group) == group and state not in "ZX":
                members.append(int(file.parent.name))
    return members


def _read_stat(file: Path) -> list[str]:
    """State, parent and group of a process or thread, as proc(5) tells them behind a name that may hold anything."""
    return file.read_text().rpartition(") ")[2].split()[:3]


def database_url() -> str:
    """The address of the test's own database, as DATABASE_URL spells it."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    password = f":{quote(settings['PASSWORD'])}" if settings["PASSWORD"] else ""
    host, port = settings["HOST"] or "127.0.0.1", settings["PORT"] or 5432
    return f"postgres://{settings['USER']}{password}@{host}:{port}/{settings['NAME']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(
    data_dir: Path,
    *,
    workers: int = 1,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = SERVE,
    health: str = "/healthz",
) -> Iterator[Server]:
    """A server for as long as the block lasts; it answers when the block begins.

    Args:
        port: 0 takes a free one.
        command: what Python is to run, from the project's root.
        health: the path that answers as soon as it serves.
    """
    port = port or free_port()
    data_dir.mkdir(parents=True, exist_ok=True)
    own = {
        "DATABASE_URL": database_url(),
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": SECRET_KEY,
        "PORT": str(port),
        "WORKERS": str(workers),
        "LOCAL_MODEL": "0",
        "DEMO": "0",
        "REDIS_URL": "",
    }
    log = data_dir / f"server-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **own, **(environment or {})},
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(port, process, log)
    try:
        _wait_until_alive(server, f"{server.address}{health}")
        yield server
    finally:
        server.end()


def _wait_until_alive(server: Server, address: str) -> None:
    latest = time.monotonic() + 120
    while time.monotonic() < latest and server.process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)  # there is no event of another process to wait for
    raise AssertionError(f"The server did not start ({server.process.poll()}):\n{server.log.read_text()[-4000:]}")
