"""`python -m bench.bulk`: what is done to very much at once, in the university that `bench.university` makes.

A CSV of a million calls, another quota for everyone, a roster of 5,000 lines: through their pages, in this process.
"""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import django

from config import env

env.choose_settings()
django.setup()

from django.conf import settings  # noqa: E402  # models can be imported only now
from django.db import connection  # noqa: E402
from django.test import AsyncClient  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.authentication import principal_of  # noqa: E402
from accounts.models import User  # noqa: E402
from accounts.types import Role  # noqa: E402
from core import clock  # noqa: E402
from courses.models import Course  # noqa: E402
from courses.services import import_roster  # noqa: E402
from quotas.selectors import list_standings  # noqa: E402
from quotas.services import set_quota  # noqa: E402

DAYS = 37  # of ten million calls in a year: a million
LINES = 5_000
WRITING = ("INSERT", "UPDATE", "DELETE")


def measure() -> None:
    """Print a line for each."""
    root, _created = User.objects.get_or_create(email="root@bench.edu", defaults={"name": "Root", "role": Role.ADMIN})
    print(connection.vendor)
    _quota(root)
    _roster()
    asyncio.run(_csv(root))


def _quota(root: User) -> None:
    student = principal_of(User.objects.filter(role=Role.STUDENT).latest("pk"))
    before = list_standings(student)[0].limit
    with CaptureQueriesContext(connection) as queries:
        set_quota(limit=(before or 0) + 1, by_id=root.pk, reason="bench")
    writing = sum(query["sql"].startswith(WRITING) for query in queries)
    after = list_standings(student)[0].limit
    print(f"a quota for all {User.objects.count():,}: {writing} statements write; {before} before, {after} after")


def _roster() -> None:
    today = clock.local_day(clock.now())
    course = Course.objects.create(code=f"R{uuid4().hex[:8]}", title="Roster", starts_on=today, ends_on=today)
    people = User.objects.filter(role=Role.STUDENT).values_list("email", flat=True)[:LINES]
    lines = ["email,role\n", *(f"{email},student\n" for email in people)]
    for title, dry_run in (("looked at", True), ("imported", False)):
        began = time.perf_counter()
        import_roster(course=course, text=lines, dry_run=dry_run)
        print(f"a roster of {LINES:,} lines {title}: {time.perf_counter() - began:.1f} s")


async def _csv(root: User) -> None:
    today = clock.local_day(clock.now())
    client = AsyncClient()
    await client.aforce_login(root)
    await client.get("/manage/usage/calls/")  # what a first request loads is not the CSV's
    before, began = _memory("VmRSS", starts_anew=True), time.perf_counter()
    span = f"first_day={today - timedelta(days=DAYS)}&last_day={today}"
    response: Any = await client.get(f"/manage/usage/calls.csv?{span}")
    lines = size = 0
    async for piece in response.streaming_content:
        lines += piece.count(b"\n")
        size += len(piece)
    seconds, peak = time.perf_counter() - began, _memory("VmHWM") - before
    print(
        f"a CSV of {lines:,} lines, {size / 1e6:.0f} MB: {seconds:.0f} s, {peak / 1024:.0f} MiB of memory more at most"
    )


def _memory(what: str, *, starts_anew: bool = False) -> int:
    """KiB of this process; its peak may start anew from here."""
    if starts_anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1])


if __name__ == "__main__":
    settings.ALLOWED_HOSTS = ["testserver"]
    measure()
