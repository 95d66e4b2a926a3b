"""`python -m bench.page_times`: the table of `bench pages`.

Requests run in this process, one after the other, so that the server's own work is measured, rendering included.
"""

import asyncio
import statistics
import time
import tracemalloc
from datetime import timedelta

import django

from config import env

env.choose_settings()
django.setup()

from django.conf import settings  # noqa: E402  # models can be imported only now
from django.db import connection  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.types import Role  # noqa: E402
from core import clock  # noqa: E402

ROUNDS = 20
SOME_DAYS = "first_day={month}&last_day={today}"
ADMINISTRATORS = (
    "/manage/",
    "/manage/people/",
    "/manage/people/?search=person+4999",
    "/manage/people/?sort=-created&role=student",
    "/manage/people/{person}/",
    "/manage/courses/",
    "/manage/courses/BENCH7/",
    "/manage/quotas/",
    "/manage/clauses/",
    "/manage/audit/",
    "/manage/audit/?search=p777",
    "/manage/usage/?" + SOME_DAYS,
    "/manage/usage/?by=model&" + SOME_DAYS,
    "/manage/usage/?by=department&" + SOME_DAYS,
    "/manage/usage/?by=course&" + SOME_DAYS,
    "/manage/usage/?by=user&" + SOME_DAYS,
    "/manage/usage/?by=month",
    "/manage/usage/calls/",
    "/manage/usage/calls/?course=BENCH7",
    "/api/people/",
    "/api/usage/",
    "/api/audit/",
    "/api/courses/",
    "/api/enrollments/",
    "/api/reports/?by=model&" + SOME_DAYS,
)
TEACHERS = ("/review/", "/review/BENCH7/")
STUDENTS = ("/usage/", "/usage/models/", "/usage/who-looked/", "/api/me/", "/api/usage/")


def measure() -> None:
    """Print one line for each page: the median and the 95th percentile in ms, and how many queries it takes."""
    print(f"{'page':72} {'median':>8} {'p95':>8} {'queries':>8}")
    for person, paths in _visits():
        client = Client()
        client.force_login(person)
        for path in paths:
            _measure(client, path)
    asyncio.run(_stream("/manage/usage/calls.csv"))


def _visits() -> list[tuple[User, tuple[str, ...]]]:
    today = clock.local_day(clock.now())
    words = {"month": today - timedelta(days=30), "today": today}
    root, _created = User.objects.get_or_create(email="root@bench.edu", defaults={"name": "Root", "role": Role.ADMIN})
    teacher = User.objects.get(email="p7@bench.edu")
    student = User.objects.get(email="p49000@bench.edu")
    whole = ((root, ADMINISTRATORS), (teacher, TEACHERS), (student, STUDENTS))
    return [(person, tuple(path.format(person=student.pk, **words) for path in paths)) for person, paths in whole]


def _measure(client: Client, path: str) -> None:
    times = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        status = client.get(path).status_code
        times.append((time.perf_counter() - began) * 1000)
        if times[-1] > 3000:
            break
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    times = sorted(times[1:] or times)  # the first one warms caches
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    said = "" if status == 200 else f"  status {status}"
    print(f"{path[:72]:72} {statistics.median(times):8.0f} {p95:8.0f} {len(queries):8}{said}", flush=True)


async def _stream(path: str, rows: int = 1_000_000) -> None:
    """A CSV of a million rows: how fast, and how much memory it took at most."""
    client = AsyncClient()
    await client.aforce_login(await User.objects.aget(email="root@bench.edu"))
    response = await client.get(path)
    tracemalloc.start()
    lines, began = 0, time.perf_counter()
    async for piece in response.streaming_content:  # type: ignore[attr-defined]
        lines += piece.count(b"\n")
        if lines > rows:
            break
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    seconds = time.perf_counter() - began
    print(f"{path}: {lines:,} rows in {seconds:.0f} s, at most {most / 1e6:.0f} MB of Python objects")


if __name__ == "__main__":
    settings.ALLOWED_HOSTS = ["testserver"]
    measure()
