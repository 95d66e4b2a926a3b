"""`python -m bench.university [ROWS]`: fills the database of this environment with a university of 50,000 people.

500 courses, a year of usage and the totals of its days, written by the database itself: a few statements, minutes.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

from config import env

env.choose_settings()
django.setup()

from django.db import connection, transaction  # noqa: E402  # models can be imported only now

from accounts.models import Department, User  # noqa: E402
from accounts.types import Role  # noqa: E402
from audit.models import Entry  # noqa: E402
from core import clock  # noqa: E402
from courses.models import Course, Enrollment  # noqa: E402
from courses.types import CourseRole  # noqa: E402
from usage.models import RollupDay  # noqa: E402

PEOPLE, COURSES, ROSTER, DEPARTMENTS, ENTRIES = 50_000, 500, 200, 10, 20_000
ROWS = 10_000_000
DAYS = 365

_SERIES = {
    "postgresql": "generate_series(0, %(rows)s::bigint - 1) as n(i)",
    "sqlite": "(with recursive n(i) as (values (0) union all select i + 1 from n limit %(rows)s) select i from n)",
}
_UUID = {"postgresql": "lpad(to_hex(i), 32, '0')::uuid", "sqlite": "printf('%%032x', i)"}
_AT = {
    "postgresql": "%(first)s::timestamptz + (i %% %(seconds)s) * interval '1 second'",
    "sqlite": "datetime(%(first)s, '+' || (i %% %(seconds)s) || ' seconds')",
}
_DAY = {
    "postgresql": "(started_at at time zone '{zone}')::date",
    "sqlite": "date(started_at, '+8 hours')",
}
_FALSE = {"postgresql": "false", "sqlite": "0"}
# Numbers that share no factor spread people, courses and days over the calls as chance would.
_RECORDS = """
insert into usage_usagerecord (call_id, user_id, role, department_id, course_id, key_id, via, operation, model,
    provider, outcome, code, prompts, input_tokens, output_tokens, images, usage_source, cost_micro,
    started_at, ended_at)
select {uuid}, {u}, case when i * 7919 %% {people} %% 10 = 0 then 'staff' else 'student' end,
    {department} + i * 7919 %% {people} %% {departments},
    case when i %% 2 = 0 then {course} + i * 31 %% {courses} end, null,
    case when i %% 3 = 0 then 'api' else 'web' end, case when i %% 11 = 0 then 'image' else 'chat' end,
    case when i %% 11 = 0 then 'picture' when i %% 5 < 3 then 'small' else 'large' end, 'bench',
    case when i %% 20 = 0 then 'refused' else 'served' end, '', case when i %% 20 = 0 then 0 else 1 end,
    200 + i %% 800, 300 + i %% 900, 0, 'reported', 40 + i %% 100, {at}, {at}
from {series}
"""
_ROLLUPS = """
insert into usage_dailyrollup (day, user_id, role, department_id, course_id, via, operation, model, outcome,
    calls, prompts, input_tokens, output_tokens, images, cost_micro)
select {day}, user_id, role, department_id, course_id, via, operation, model, outcome,
    count(*), sum(prompts), sum(input_tokens), sum(output_tokens), sum(images), sum(cost_micro)
from usage_usagerecord where started_at < %(today)s group by 1, 2, 3, 4, 5, 6, 7, 8, 9
"""

_TOTALS = """
insert into usage_dailytotal (day, role, department_id, via, operation, model, outcome,
    calls, prompts, input_tokens, output_tokens, images, cost_micro)
select day, role, department_id, via, operation, model, outcome,
    sum(calls), sum(prompts), sum(input_tokens), sum(output_tokens), sum(images), sum(cost_micro)
from usage_dailyrollup group by 1, 2, 3, 4, 5, 6, 7
"""


def main(rows: int = ROWS) -> None:
    """Fill it, and say how long each part took."""
    if not User.objects.filter(email="p0@bench.edu").exists():
        _timed("people, courses and rosters", _people)
    _timed(f"{rows:,} usage rows", lambda: _usage(rows))
    _timed("totals of the days", _rollups)
    _timed("audit entries", _entries)
    _timed("statistics for the planner", lambda: _execute("analyze"))


@transaction.atomic
def _people() -> None:
    departments = Department.objects.bulk_create(
        Department(code=f"dept{n}", name=f"Department {n}") for n in range(DEPARTMENTS)
    )
    ids = [department.pk for department in departments]
    people = User.objects.bulk_create(
        [
            User(
                email=f"p{n}@bench.edu",
                name=f"Person {n}",
                role=Role.INSTRUCTOR if n < COURSES else Role.STUDENT,
                department_id=ids[n % DEPARTMENTS],
            )
            for n in range(PEOPLE)
        ],
        batch_size=2000,
    )
    today = clock.local_day(clock.now())
    first_day = today - timedelta(days=80)
    courses = Course.objects.bulk_create(
        Course(code=f"BENCH{n}", title=f"Course {n}", starts_on=first_day, ends_on=today + timedelta(days=30))
        for n in range(COURSES)
    )
    Enrollment.objects.bulk_create(
        [
            Enrollment(
                course=course,
                user=people[(n * 97 + k * 251) % (PEOPLE - COURSES) + COURSES] if k else people[n],
                role=CourseRole.STUDENT if k else CourseRole.INSTRUCTOR,
            )
            for n, course in enumerate(courses)
            for k in range(ROSTER)
        ],
        batch_size=2000,
        ignore_conflicts=True,
    )


def _usage(rows: int) -> None:
    first_user = User.objects.earliest("pk").pk
    words = {
        "uuid": _UUID[connection.vendor],
        "at": _AT[connection.vendor],
        "series": _SERIES[connection.vendor],
        "u": f"{first_user} + i * 7919 %% {PEOPLE}",
        "people": PEOPLE,
        "department": Department.objects.earliest("pk").pk,
        "departments": DEPARTMENTS,
        "course": Course.objects.earliest("pk").pk,
        "courses": COURSES,
    }
    first = clock.now() - timedelta(days=DAYS)
    _execute(_RECORDS.format(**words), {"rows": rows, "first": first, "seconds": DAYS * 24 * 3600 - 60})


def _rollups() -> None:
    today = clock.local_day(clock.now())
    day = _DAY[connection.vendor].format(zone="Asia/Hong_Kong")
    _execute(_ROLLUPS.format(day=day), {"today": clock.start_of(today)})
    _execute(_TOTALS)
    RollupDay.objects.bulk_create(
        [RollupDay(day=today - timedelta(days=n), complete=True) for n in range(1, DAYS + 2)], ignore_conflicts=True
    )


def _entries() -> None:
    """Unsealed: for the pages, not for the proof."""
    Entry.objects.bulk_create(
        [
            Entry(
                number=n, action="person.change", subject=f"person/{n}", name=f"p{n}@bench.edu", actor="root@bench.edu"
            )
            for n in range(1, ENTRIES)
        ],
        batch_size=2000,
        ignore_conflicts=True,
    )


def _execute(sql: str, values: dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("set session_replication_role = replica")  # no look at every row's foreign keys
        cursor.execute(sql, values)


def _timed(title: str, work: Callable[[], None]) -> None:
    began = time.monotonic()
    work()
    print(f"{title}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
