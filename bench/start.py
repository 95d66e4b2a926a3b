"""How long a start takes, how soon the first word comes, how big the scripts are, how fast one thread's ledger is."""

import argparse
import gzip
import http.client
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import installation

SCRIPTS = installation.ROOT / "build" / "frontend" / "js"
MODEL = "smollm2-135m-instruct"
ROUNDS = 20


def main(options: argparse.Namespace) -> None:
    """Measure, and print one table."""
    rows = [(f"{page} and what it loads at once, gzip", f"{size / 1000:.1f} kB") for page, size in _script_sizes()]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        environment = installation.environment_in(Path(folder))
        with _running(environment):
            key = installation.make_person(environment)
        began = time.monotonic()
        with _running(environment):
            rows.append(("second start to the first page", f"{time.monotonic() - began:.2f} s"))
            rows += _first_words(environment, key)
        rows.append(("admissions and conclusions, one thread, SQLite", _admissions(environment)))
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"{name:<{width}}  {figure:>12}")


@contextmanager
def _running(environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "config.supervisor"]
    with subprocess.Popen(command, cwd=installation.ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while not _has_page(int(environment["PORT"])):
            if process.poll() is not None:
                sys.exit("The gateway did not start.")
            time.sleep(0.02)
        yield
        process.send_signal(signal.SIGINT)


def _has_page(port: int) -> bool:
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        page.request("GET", "/accounts/login/")
        return page.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        page.close()


def _first_words(environment: dict[str, str], key: str) -> list[tuple[str, str]]:
    """First content of a streamed answer, straight from the local model and through the gateway, turn about."""
    note = (Path(environment["DATA_DIR"]) / "local_model").read_text().strip()
    if not note:
        return [("first word", "no local model")]
    doors = {
        "the local model itself": (int(note.split(":")[2].split("/")[0]), ""),
        "the gateway": (int(environment["PORT"]), key),
    }
    for port, secret in doors.values():
        _first_word(port, secret)  # both warm
    times = {name: [_first_word(*door) for _ in range(ROUNDS)] for name, door in doors.items()}
    return [
        (f"first word from {name}, median of {ROUNDS}", f"{statistics.median(t) * 1000:.0f} ms")
        for name, t in times.items()
    ]


def _first_word(port: int, key: str) -> float:
    body = {"model": MODEL, "stream": True, "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello."}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.monotonic()
    line.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = line.getresponse()
    if answer.status != http.HTTPStatus.OK:
        sys.exit(f"The call was refused: {answer.read().decode()}")
    elapsed = 0.0
    for event in answer:
        if event.startswith(b"data: {"):
            choices = json.loads(event[6:]).get("choices")
            if not elapsed and choices and choices[0]["delta"].get("content"):
                elapsed = time.monotonic() - began
    line.close()
    return elapsed


def _admissions(environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", "bench.admissions", installation.PERSON, MODEL],
        cwd=installation.ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


def _script_sizes() -> list[tuple[str, int]]:
    pages = sorted(SCRIPTS.glob("*.js"))
    return [
        (page.name, sum(len(gzip.compress(file.read_bytes())) for file in _loaded_at_once(page, set())))
        for page in pages
    ]


def _loaded_at_once(script: Path, seen: set[Path]) -> set[Path]:
    """The script and its static imports; what import() fetches later is not among them."""
    if script not in seen:
        seen.add(script)
        for name in re.findall(r'(?:from|import)\s*"(\.[^"]+)"', script.read_text()):
            _loaded_at_once((script.parent / name).resolve(), seen)
    return seen
