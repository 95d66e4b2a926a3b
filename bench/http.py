"""The data plane beside nginx as a plain proxy and, where it is installed, LiteLLM: in one run, turn about, as ratios.

Servers share one CPU, the provider and the drivers the other. Every figure is a median over the rounds. Needs a C
compiler and nginx; LITELLM names the folder of a virtual environment with `litellm[proxy]` in it, and REDIS_URL, for
whoever uses it, a Redis.
"""

import argparse
import json
import os
import platform
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import installation
from bench.processes import Watch, memory_of, pinned, running

_HERE = Path(__file__).resolve().parent
_MODEL, _STREAM_MODEL = "mock", "mock-100-40"  # 100 chunks, one every 40 ms
_CHUNKS = 100
_SECONDS = 5
_RAMP = 2000  # milliseconds over which streams begin
_MICRO = 1_000_000
_SHARED_LIMITS = "  cache: true\n  cache_params: { type: redis, supported_call_types: [] }\n"  # reads REDIS_URL


@dataclass
class Target:
    """One server under measurement, and what was measured of it."""

    name: str
    port: int
    pid: int
    key: str
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """Add one round's figure."""
        self.figures.setdefault(name, []).append(value)


class Drivers:
    """The C programs of bench/drivers, built for this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for source in (_HERE / "drivers").glob("*.c"):
            subprocess.run(["cc", "-O2", "-o", str(folder / source.stem), str(source)], check=True)

    def path(self, name: str) -> str:
        """Where a program is."""
        return str(self._folder / name)

    def run(self, name: str, target: Target, *arguments: str) -> dict[str, Any]:
        """What a driver measured."""
        command = [self.path(name), "-p", str(target.port), "-k", target.key, *arguments]
        done = subprocess.run(pinned(0, command), capture_output=True, text=True, check=False, timeout=180)
        if done.stderr:
            print(f"{target.name}: {done.stderr[:300]}", file=sys.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def main(options: argparse.Namespace) -> None:
    """Measure, and print one table."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        drivers = Drivers(folder)
        port = stack.enter_context(provider_in(folder, drivers))
        provider = stack.enter_context(_behind_tls(folder, port)) if options.tls else f"http://127.0.0.1:{port}"
        ours = stack.enter_context(gateway_in(folder, provider))
        targets = [stack.enter_context(nginx_in(folder, provider)), ours]
        if (litellm := os.environ.get("LITELLM")) and not options.tls:
            targets.append(stack.enter_context(_litellm(Path(litellm), folder, port)))
        for target in targets:
            target.note("idle memory, MiB", memory_of(target.pid) / 1024)
        for target in targets[:2]:  # first, because memory per stream means something on a fresh process only
            _stream(drivers, target, 2000)
        _hang_up(drivers, ours, port)
        for _ in range(options.rounds):  # A B C, A B C, so that whatever else the machine does hits all alike
            for measure in (_call, _call_large, _stream_some):
                for target in targets:
                    measure(drivers, target)
        scheme, load = urlsplit(provider).scheme, os.getloadavg()[0]
        print(f"\n{versions()}\nprovider by {scheme}; {options.rounds} rounds; load average at the end {load:.1f}\n")
        _print(targets)


# ---- what is measured ------------------------------------------------------------------------------------------------


def _call(drivers: Drivers, target: Target) -> None:
    for connections in (1, 16, 128):
        _call_from(drivers, target, f"{connections} connections", "-c", str(connections))


def _call_large(drivers: Drivers, target: Target) -> None:
    _call_from(drivers, target, "16 connections, prompts of 200 KB", "-c", "16", "-K", "200")


def _call_from(drivers: Drivers, target: Target, label: str, *arguments: str) -> None:
    cost, found = plain_calls(drivers, target, _SECONDS, *arguments)
    target.note(f"{label}: CPU us a call", cost)
    target.note(f"{label}: calls a second", found["requests"] / found["seconds"])
    target.note(f"{label}: p50, ms", found["p50_ms"])
    target.note(f"{label}: p99, ms", found["p99_ms"])
    target.note(f"{label}: failed", found["bad_status"] + found["errors"])


def plain_calls(drivers: Drivers, target: Target, seconds: int, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Plain calls for so many seconds: the processor's microseconds for each, and what the driver saw."""
    with Watch(target.pid) as watch:
        found = drivers.run("calls", target, "-m", _MODEL, "-s", str(seconds), *arguments)
    return watch.cpu / max(1, found["requests"]) * _MICRO, found


def _stream_some(drivers: Drivers, target: Target) -> None:
    _stream(drivers, target, 500)


def _stream(drivers: Drivers, target: Target, count: int) -> None:
    arguments = ["-m", _STREAM_MODEL, "-n", str(_CHUNKS), "-S", str(count), "-r", str(_RAMP), "-t", "60"]
    with Watch(target.pid) as watch:
        found = drivers.run("streams", target, *arguments)
    label, none = f"{count} streams", {"p50": float("nan"), "p99": float("nan")}
    first, lag = found["ttft_ms"] or none, found["lag_ms"] or none
    target.note(f"{label}: complete, %", 100 * found["complete"] / count)
    target.note(f"{label}: CPU us a chunk", watch.cpu / max(1, found["chunks"]) * _MICRO)
    target.note(f"{label}: first token p50, ms", first["p50"])
    target.note(f"{label}: first token p99, ms", first["p99"])
    target.note(f"{label}: added lag p50, ms", lag["p50"])
    target.note(f"{label}: added lag p99, ms", lag["p99"])
    target.note(f"{label}: KiB a stream", (watch.peak - watch.idle) / count)


def _hang_up(drivers: Drivers, target: Target, upstream: int) -> None:
    """500 clients leave in the middle: how long until the provider is hung up on, paired in their order."""
    _ask(upstream, "/_reset", method="POST")
    found = drivers.run("streams", target, "-m", _STREAM_MODEL, "-S", "500", "-r", str(_RAMP), "-a", "10")
    deadline = time.monotonic() + _SECONDS
    while len(seen := _ask(upstream, "/_hangups")) < len(found["hangups"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    delays = sorted((there - here) / 1000 for here, there in zip(found["hangups"], seen, strict=False))
    target.note("500 clients hang up: provider hung up on, %", 100 * len(seen) / max(1, len(found["hangups"])))
    if delays:
        target.note("500 clients hang up: p50, ms", statistics.median(delays))
        target.note("500 clients hang up: longest, ms", delays[-1])


# ---- who is measured -------------------------------------------------------------------------------------------------


@contextmanager
def provider_in(folder: Path, drivers: Drivers) -> Iterator[int]:
    """The provider that everyone asks, a program in C; its port."""
    port = installation.free_port()
    command = [drivers.path("upstream"), "-p", str(port)]
    with running(command, port=port, log=folder / "upstream.log", cpu=0):
        yield port


@contextmanager
def _behind_tls(folder: Path, upstream: int) -> Iterator[str]:
    """The provider behind TLS, beside the drivers; its address. `certificate.pem` in its folder is to be believed."""
    port, own = installation.free_port(), folder / "tls"
    own.mkdir()
    asked = ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-newkey", "rsa:2048"]
    files = ["-keyout", str(own / "key.pem"), "-out", str(own / "certificate.pem")]
    subprocess.run(["openssl", "req", "-x509", "-nodes", *asked, *files], check=True, capture_output=True)
    with _running_nginx(own, "nginx-tls.conf", port, cpu=0, UPSTREAM=str(upstream)):
        yield f"https://127.0.0.1:{port}"


@contextmanager
def nginx_in(folder: Path, provider: str) -> Iterator[Target]:
    """nginx as a plain proxy before the provider at that address."""
    port, own = installation.free_port(), folder / "nginx"
    own.mkdir()
    address = urlsplit(provider)
    with _running_nginx(own, "nginx.conf", port, SCHEME=address.scheme, UPSTREAM=str(address.port)) as pid:
        yield Target("nginx", port, pid, "sk-bench")


@contextmanager
def _running_nginx(folder: Path, name: str, port: int, *, cpu: int = 1, **places: str) -> Iterator[int]:
    """nginx by one of our files of settings, with what the words in capitals stand for; its process."""
    settings = (_HERE / name).read_text()
    for word, value in {"PORT": str(port), **places}.items():
        settings = settings.replace(word, value)
    (folder / name).write_text(settings)
    command = ["nginx", "-p", str(folder), "-c", str(folder / name), "-e", str(folder / "error.log")]
    with running(command, port=port, log=folder / "output.log", cpu=cpu) as pid:
        yield pid


@contextmanager
def gateway_in(folder: Path, provider: str) -> Iterator[Target]:
    """This gateway with everything on, in front of the provider at that address."""
    environment = installation.environment_in(
        folder,
        OPENAI_BASE_URL=f"{provider}/v1",
        OPENAI_API_KEY="sk-bench",
        UPSTREAM_CA_FILE=str(folder / "tls" / "certificate.pem") if provider.startswith("https") else "",
        LOCAL_MODEL="0",
        MAX_PARALLEL_CALLS="0",
    )
    chosen = ("DATABASE_URL", "REDIS_URL", "WORKERS")
    environment |= {name: os.environ[name] for name in chosen if name in os.environ}
    installation.manage(environment, "migrate", "--verbosity", "0")
    installation.manage(environment, "prepare")
    key = installation.make_person(environment)
    port = int(environment["PORT"])
    command = [sys.executable, "manage.py", "serve"]
    with running(command, port=port, log=folder / "serve.log", cwd=installation.ROOT, env=environment) as pid:
        yield Target("this gateway", port, pid, key)


@contextmanager
def _litellm(venv: Path, folder: Path, upstream: int) -> Iterator[Target]:
    """One worker, a key of a user with limits and a budget by custom_auth, one line of JSON logged per call.

    Its limits hold in its own memory; with REDIS_URL in Redis, as where several of it run.
    """
    port = installation.free_port()
    own = folder / "litellm"
    shutil.copytree(_HERE / "litellm", own)
    config = own / "config.yaml"
    settings = config.read_text().replace("UPSTREAM", str(upstream))
    config.write_text(settings + _SHARED_LIMITS if os.environ.get("REDIS_URL") else settings)
    command = [str(venv / "bin" / "litellm"), "--config", str(config), "--port", str(port)]
    environment = {**os.environ, "LITELLM_LOG": "ERROR", "BENCH_LOG": str(folder / "litellm.jsonl")}
    environment["LITELLM_MASTER_KEY"] = f"sk-{secrets.token_hex(32)}"  # it does not start without one
    log = folder / "litellm.log"
    with running([*command, "--host", "127.0.0.1"], port=port, log=log, cwd=own, env=environment) as pid:
        yield Target("LiteLLM", port, pid, "sk-bench")


# ---- what is printed -------------------------------------------------------------------------------------------------


def _print(targets: list[Target]) -> None:
    anchor = targets[0]
    heads = [
        head for target in targets for head in ((target.name, "x nginx") if target is not anchor else (target.name,))
    ]
    print(f"| figure | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for name in dict.fromkeys(name for target in targets for name in target.figures):
        cells = []
        for target in targets:
            value = _median(target, name)
            cells.append("–" if value is None else f"{value:.3g}" if value < 100 else f"{value:,.0f}")
            if target is not anchor:
                base = _median(anchor, name) if "CPU" in name else None
                cells.append("" if value is None or not base else f"{value / base:.1f}")
        print(f"| {name} | {' | '.join(cells)} |")


def _median(target: Target, name: str) -> float | None:
    values = target.figures.get(name)
    return statistics.median(values) if values else None


def versions() -> str:
    """What was measured with: the interpreter's build, the libraries, nginx, the database and the machine."""
    names = ("Django", "uvicorn", "uvloop", "httptools", "orjson")
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr.strip()
    database = "PostgreSQL" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "SQLite"
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    # Which build it is counts as much as the version: one without profiles of its own (PGO) is slower by up to a third.
    python = f"{platform.python_implementation()} {platform.python_version()} ({Path(sys.executable).resolve()})"
    return f"{python}, {packages}; {nginx}; {database}, WORKERS={os.environ.get('WORKERS', '1')}; {os.cpu_count()} CPUs"


def _ask(port: int, path: str, *, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)) as answer:
        return json.load(answer)
