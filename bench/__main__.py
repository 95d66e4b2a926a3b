"""`make bench`: how long a start takes, how soon the first word comes, how big the scripts are, how fast the ledger is.

Everything happens in a folder of its own. The figures belong to this machine now: run it when nothing else runs.
"""

import gzip
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "build" / "frontend" / "js"
PERSON = "bench@example.edu"
MODEL = "smollm2-135m-instruct"
ROUNDS = 20


def main() -> None:
    """Measure, and print one table."""
    rows = [(f"{page} and what it loads at once, gzip", f"{size / 1000:.1f} kB") for page, size in _script_sizes()]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        environment = {
            **os.environ,
            "DATA_DIR": folder,
            "PORT": str(_free_port()),
            "DEMO": "0",
            "MAX_ATTEMPTS_PER_HOUR": "0",
        }
        environment |= {"DATABASE_URL": "", "REDIS_URL": "", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
        with _running(environment):
            key = _make_person(environment, Path(folder))
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
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
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


def _make_person(environment: dict[str, str], folder: Path) -> str:
    """Somebody with the clauses accepted and no end of prompts; the key of theirs."""
    people = folder / "people.csv"
    people.write_text(f"email,name,role,department\n{PERSON},Bench,student,\n")
    _manage(environment, "import_people", str(people))
    _manage(environment, "acknowledge", PERSON, "--all", "--on-behalf", "measuring")
    _manage(environment, "set_quota", "--everyone", "--limit", "1000000")
    return _manage(environment, "issue_key", PERSON).split()[-1]


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


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
        [sys.executable, "-m", "bench.admissions", PERSON, MODEL],
        cwd=ROOT,
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
