"""One command starts everything, keeps it alive and ends it: tried with real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

PATIENCE = 60.0


@dataclass(frozen=True)
class Run:
    """A supervisor without model and demo, on a port and in a folder of its own."""

    process: subprocess.Popen[str]
    port: int
    folder: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One that serves."""
    port, folder = _free_port(), tmp_path_factory.mktemp("run")
    with _start(port, folder) as process:
        assert f"http://127.0.0.1:{port}/" in _read_until(process, "The gateway is at")
        yield Run(process, port, folder)
        process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(port: int, folder: Path) -> subprocess.Popen[str]:
    values = {"PORT": str(port), "DATA_DIR": str(folder), "LOCAL_MODEL": "0", "DEMO": "0"}
    environment = {
        **os.environ,
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "OPENAI_API_KEY": "",
        "OPENAI_BASE_URL": "",
        **values,
    }
    command = [sys.executable, "-m", "config.supervisor"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    """The first line of the supervisor with these words."""
    assert process.stdout
    for line in process.stdout:
        if words in line:
            return line
    pytest.fail(f"the supervisor ended without saying {words!r}")


def _children(pid: int) -> dict[int, str]:
    """The living children of a process, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists():
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[1]) == pid and stat[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def _is_alive(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def test_a_server_that_dies_is_started_again(run: Run) -> None:
    web = next(pid for pid, command in _children(run.process.pid).items() if "serve" in command)

    os.kill(web, signal.SIGKILL)

    assert "again in 0.5 s" in _read_until(run.process, "The web server ended")
    deadline = time.monotonic() + PATIENCE
    while not _is_alive(run.port) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _is_alive(run.port)


def test_everything_it_writes_lies_in_its_own_folder(run: Run) -> None:
    assert {"gateway.sqlite3", "secret_key", "logs", "queue"} <= {path.name for path in run.folder.iterdir()}


def test_it_ends_everything_it_started(tmp_path: Path) -> None:
    with _start(_free_port(), tmp_path) as process:
        _read_until(process, "The gateway is at")
        children = _children(process.pid)
        assert len(children) == 2

        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with _start(port, tmp_path) as process:
            words, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in words


def test_a_setting_that_cannot_be_right_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "PORT": "eighty"}
    command = [sys.executable, "-m", "config.supervisor"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout.startswith("The gateway cannot start: PORT is 'eighty'")
