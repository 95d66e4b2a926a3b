"""`python -m bench.page_times [WORDS]`: the table of `bench pages`; with WORDS, only addresses that have one of them.

Requests run in this process, one after the other, so that the server's own work is measured, rendering included. On a
busy machine believe the column CPU: the processor this process and its PostgreSQL backend used for one request.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import django

from config import env, process

env.choose_settings()
django.setup()

from django.conf import settings  # noqa: E402  # models can be imported only now
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.types import Role  # noqa: E402
from chat.models import Conversation  # noqa: E402
from core import clock  # noqa: E402
from policies.models import Clause  # noqa: E402

ROUNDS = 8
SLOW = 3000  # ms; a page that takes longer is measured three times
GROUPS = ("model", "operation", "outcome", "via", "role", "department", "course", "user")
RESOURCES = (
    *("people", "keys", "terms", "courses", "enrollments", "clauses", "quotas", "grants", "requests", "pools"),
    *("offers", "purchases", "models", "providers", "usage", "audit"),
)
SOME_DAYS = "first_day={month}&last_day={today}"
ADMINISTRATORS = (
    "/manage/",
    "/manage/people/",
    "/manage/people/?search=person+4999",
    "/manage/people/?sort=-created&role=student",
    "/manage/people/{person}/",
    "/manage/courses/",
    "/manage/courses/BENCH7/",
    "/manage/terms/",
    "/manage/quotas/",
    "/manage/quotas/simulation/?limit=10&unit=prompts&period=month&reason=x",
    "/manage/requests/",
    "/manage/pools/",
    "/manage/offers/",
    "/manage/clauses/",
    "/manage/clauses/{clause}/accepted/",
    "/manage/models/",
    "/manage/models/opinions/",
    "/manage/providers/",
    "/manage/prompts/",
    "/manage/notices/",
    "/manage/holds/",
    "/manage/alarms/",
    "/manage/alarms/rules/",
    "/manage/settings/",
    "/manage/audit/",
    "/manage/audit/?search=p777",
    "/manage/usage/?" + SOME_DAYS,
    "/manage/usage/?split=model&" + SOME_DAYS,
    *(f"/manage/usage/?by={group}&{SOME_DAYS}" for group in ("week", *GROUPS)),
    "/manage/usage/?by=month",
    "/manage/usage/calls/",
    "/manage/usage/calls/?course=BENCH7",
    "/manage/usage/calls/?person={email}",
    *(f"/api/{name}/" for name in RESOURCES),
    *(f"/api/reports/?by={group}&{SOME_DAYS}" for group in ("day", *GROUPS)),
)
TEACHERS = (
    "/review/",
    "/review/requests/",
    "/review/BENCH7/",
    "/review/BENCH7/rule/",
    "/review/BENCH7/exams/",
    "/review/BENCH7/permissions/",
    "/review/BENCH7/chats/",
    "/review/BENCH7/prompts/",
    "/api/courses/",
    "/api/enrollments/",
    "/api/usage/",
    "/api/reports/",
)
STUDENTS = (
    "/usage/",
    "/usage/requests/",
    "/usage/meter/",
    "/usage/models/",
    "/usage/who-looked/",
    "/api/me/",
    "/api/usage/",
    "/api/reports/",
    "/",
    "/chat/list/",
    "/chat/list/?{oldest}",
    "/chat/{long}/",
    "/chat/search/?q=photosynthesis",
    "/chat/search/?q=%E5%85%89%E5%90%88%E4%BD%9C%E7%94%A8",
    "/chat/search/?q=nowhere",
    "/chat/search/?q=short+answer",
)


def measure(words: Iterable[str] = ()) -> None:
    """Print one line for each page: the first request with cold caches, then the others, in ms."""
    print(f"{connection.vendor}; load average {os.getloadavg()[0]:.1f}")
    print(f"{'page':60} {'first':>6} {'least':>6} {'median':>6} {'p95':>6} {'CPU':>6} {'queries':>8}")
    for person, paths in _visits():
        client = Client()
        client.force_login(person)
        for path in paths:
            if not words or any(word in path for word in words):
                _measure(client, path)
    print(f"load average {os.getloadavg()[0]:.1f}")


def _visits() -> list[tuple[User, tuple[str, ...]]]:
    root, _created = User.objects.get_or_create(email="root@bench.edu", defaults={"name": "Root", "role": Role.ADMIN})
    teacher = User.objects.get(email="p7@bench.edu")
    student = User.objects.get(email="p49000@bench.edu")
    talks = Conversation.objects.filter(user=student)
    page = talks.order_by("updated_at").values_list("updated_at", flat=True)[40]
    today = clock.local_day(clock.now())
    words = {
        "month": today - timedelta(days=30),
        "today": today,
        "person": student.pk,
        "email": student.email,
        "clause": Clause.objects.earliest("pk").pk,
        "long": talks.latest("updated_at").pk,
        "oldest": urlencode({"before": page.isoformat()}),
    }
    whole = ((root, ADMINISTRATORS), (teacher, TEACHERS), (student, STUDENTS))
    return [(person, tuple(path.format(**words) for path in paths)) for person, paths in whole]


def _measure(client: Client, path: str) -> None:
    client.get("/usage/who-looked/")  # the frame of every page, so that only this page is cold
    first = _time(client, path)
    began = _used()
    times: list[float] = []
    while len(times) < (3 if first > SLOW else ROUNDS):
        times.append(_time(client, path))
    cpu = (_used() - began) / len(times) * 1000
    with CaptureQueriesContext(connection) as queries:
        status = client.get(path).status_code
    times.sort()
    p95 = times[round(0.95 * (len(times) - 1))]
    figures = (first, times[0], statistics.median(times), p95, cpu)
    said = "" if status == 200 else f"  status {status}"
    print(f"{path[:60]:60} " + " ".join(f"{figure:6.0f}" for figure in figures), f"{len(queries):8}{said}", flush=True)


def _time(client: Client, path: str) -> float:
    began = time.perf_counter()
    client.get(path)
    return (time.perf_counter() - began) * 1000


def _used() -> float:
    """Seconds of processor this process used, and on PostgreSQL its backend, which must run on this machine."""
    mine = time.process_time()
    if connection.vendor != "postgresql":
        return mine
    connection.ensure_connection()
    state = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
    fields = state.read_text().rpartition(")")[2].split() if state.exists() else ["0"] * 13
    return mine + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    settings.ALLOWED_HOSTS = ["testserver"]
    process.spare_collector()
    measure(sys.argv[1:])
