"""`python -m bench.ledger`: admissions and conclusions a second, everything on, without HTTP and without a provider.

A key, clauses, rules, attempts, parallel calls, the durable reservation and its entry; then settlement, conclusion and
the usage record. SQLite in a folder of its own; PostgreSQL too, where BENCH_DATABASE_URL names a database to fill, with
one worker and with two, each with so many callers of its own. Run it when nothing else runs. BENCH_PROFILE=1 prints
where the event loop's thread spends its time.
"""

import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from itertools import cycle, product
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 1000
WAITING = (1, 16, 128)
KEYS = {"spread": PEOPLE, "one": 1}
SECONDS = 3.0
MODEL = "smollm2-135m-instruct"
HEAD = ("database", "workers", "keys", "waiting", "admissions/s", "CPU us", "conclusions/s", "CPU us")


def main() -> None:
    """Measure on each database in a process of its own, and print one table."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        rows += [("SQLite", 1, *row) for row in _measure_apart(Path(folder), "", workers=1)]
        if url := os.environ.get("BENCH_DATABASE_URL"):
            for workers in (1, 2):
                rows += [("PostgreSQL", workers, *row) for row in _measure_apart(Path(folder), url, workers=workers)]
    widths = [max(len(str(row[place])) for row in (HEAD, *rows)) for place in range(len(HEAD))]
    for row in (HEAD, *rows):
        print("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)))


def _measure_apart(folder: Path, url: str, *, workers: int) -> list[list[Any]]:
    """What processes of their own measure, all at the same time: a second together, and CPU us in the mean."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "OPENAI_API_KEY": "",
        "MAX_ATTEMPTS_PER_HOUR": "100000000",
        "MAX_PARALLEL_CALLS": "100000000",
    }
    measured = []
    with ExitStack() as stack:
        processes = []
        for number in range(workers):
            environment["DATA_DIR"] = str(folder / str(number))
            processes.append(stack.enter_context(_start(environment)))
            _read_line(processes[-1])  # it has filled the database, before the next one does
        for name, waiting in product(KEYS, WAITING):
            for process in processes:
                print(name, waiting, file=process.stdin, flush=True)
            figures = [json.loads(_read_line(process)) for process in processes]
            admissions, admission, conclusions, conclusion = zip(*figures, strict=True)
            means = [round(mean(values)) for values in (admission, conclusion)]
            measured.append([name, waiting, sum(admissions), means[0], sum(conclusions), means[1]])
    return measured


def _start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.ledger", "here"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)


def _read_line(process: "subprocess.Popen[str]") -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("a worker has ended")
    return line


def measure_here() -> None:
    """Fill the database that the environment names, and measure what each line of the input asks for."""
    import django  # noqa: PLC0415  # settings are read from the environment only now

    from config import env, process  # noqa: PLC0415

    env.choose_settings()
    django.setup()
    secrets = _fill()
    process.spare_collector()
    print("ready", flush=True)
    for line in sys.stdin:
        name, waiting = line.split()
        print(json.dumps(asyncio.run(_measure(secrets[: KEYS[name]], int(waiting)))), flush=True)


def _fill() -> Sequence[str]:
    """People with clauses accepted, a key each, and a limit that none of them reaches."""
    from django.core.management import call_command  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from accounts.services import create_api_key  # noqa: PLC0415
    from policies.selectors import list_current  # noqa: PLC0415
    from policies.services import acknowledge  # noqa: PLC0415
    from quotas.services import set_quota  # noqa: PLC0415

    call_command("migrate", interactive=False, verbosity=0)
    call_command("prepare", stdout=sys.stderr)
    set_quota(limit=10**9)
    secrets = []
    for number in range(PEOPLE):
        user = User.objects.create(email=f"bench{time.time_ns()}-{number}@example.edu", name="Bench")
        for version in list_current():
            acknowledge(user_id=user.pk, version_id=version.pk, language="en")
        secrets.append(create_api_key(user_id=user.pk, name="bench")[1])
    return secrets


async def _measure(secrets: Sequence[str], waiting: int) -> tuple[int, int, int, int]:
    from core.ids import new_id  # noqa: PLC0415
    from core.types import Operation  # noqa: PLC0415
    from gateway.types import Admission, Asking, Call, Ending  # noqa: PLC0415
    from gateway.writer import admit_soon, conclude_soon, drain, settle_soon  # noqa: PLC0415
    from usage.types import Outcome, Totals, UsageSource  # noqa: PLC0415

    keys = cycle(secrets)
    body: dict[str, Any] = {"messages": []}

    async def admit(_: None = None) -> Admission:
        call_id = new_id()
        call = Call(call_id, Operation.CHAT, MODEL, body)
        admitted = await admit_soon(Asking(call_id, next(keys), lambda _fields: call))
        if not isinstance(admitted, Admission):
            raise TypeError(admitted)
        return admitted

    ending = Ending(Outcome.SERVED, totals=Totals(10, 20, source=UsageSource.REPORTED))

    async def conclude(admitted: Admission) -> None:
        settle_soon(admitted)
        await conclude_soon(admitted, ending)

    for _ in range(3):  # everybody is known, and every purse is there
        warm = await asyncio.gather(*(admit() for _ in secrets))
        await asyncio.gather(*map(conclude, warm))
    begun, *admissions = await _pace(admit, [None] * 1_000_000, waiting)
    _, *conclusions = await _pace(conclude, begun, waiting)
    await drain()
    return (*admissions, *conclusions)  # type: ignore[return-value]


async def _pace(work: Callable[[T], Awaitable[Any]], items: Sequence[T], waiting: int) -> tuple[list[Any], int, int]:
    """Work on the items, so many at a time, until they or the seconds are over; a second, and CPU us for each."""
    rest, done = iter(items), []
    profile = cProfile.Profile() if os.environ.get("BENCH_PROFILE") else None
    began, cpu = time.perf_counter(), time.process_time()
    until = began + SECONDS

    async def worker() -> None:
        for item in rest:
            done.append(await work(item))
            if time.perf_counter() > until:
                return

    if profile:
        profile.enable()
    await asyncio.gather(*(worker() for _ in range(waiting)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    return done, round(len(done) / seconds), round(cpu / len(done) * 1e6)


if __name__ == "__main__":
    measure_here() if sys.argv[1:] == ["here"] else main()
