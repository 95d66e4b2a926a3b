"""How many queries each page takes: stated here, and the same with ten times the data."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.services import record as record_act
from core import clock
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas.services import install_default_quota
from tests.usage.test_record_usage import record
from usage.services import roll_up

ADMINISTRATOR = {
    "/manage/": 35,
    "/manage/people/": 7,
    "/manage/courses/": 9,
    "/manage/courses/COMP1117/": 10,
    "/manage/quotas/": 8,
    "/manage/clauses/": 7,
    "/manage/audit/": 7,
    "/manage/usage/?by=model": 12,
    "/manage/usage/?by=user": 13,
    "/manage/usage/calls/": 10,
    "/api/people/": 3,
    "/api/usage/": 3,
    "/api/audit/": 3,
    "/api/courses/": 3,
    "/api/enrollments/": 3,
    "/api/reports/?by=department": 12,
}
TEACHER = {"/review/": 5, "/review/COMP1117/": 23}
STUDENT = {"/usage/": 10, "/usage/models/": 12, "/usage/who-looked/": 5, "/api/me/": 7, "/api/usage/": 3}


@pytest.fixture
def course(ines: User, sara: User) -> Course:
    today = clock.local_day(clock.now())
    made = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 1, 1), ends_on=today + timedelta(days=60)
    )
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    return made


def grow(course: Course, sara: User, start: int, people: int) -> None:
    """So many more people in the course, each with a call today and one some days ago; as many acts, and courses."""
    now = clock.now()
    crowd = User.objects.bulk_create(
        User(email=f"p{n}@example.edu", name=f"P {n}") for n in range(start, start + people)
    )
    for n, person in enumerate(crowd):
        enroll(course=course, user=person)
        for at in (now, now - timedelta(days=3)):
            record(person, course_id=course.pk, started_at=at, model=f"model-{n % 3}")
            record(sara, course_id=course.pk, started_at=at)
        record_act("test.act", subject=f"test/{n}")
        create_course(code=f"C{start + n}", title="Another", starts_on=course.starts_on, ends_on=course.ends_on)
    roll_up()


def queries(person: User, paths: dict[str, int]) -> dict[str, int]:
    client, found = Client(), {}
    client.force_login(person)
    for path in paths:
        assert client.get(path).status_code == 200, path
        with CaptureQueriesContext(connection) as asked:
            client.get(path)
        found[path] = len(asked)
    return found


@pytest.mark.parametrize("people", [4, 40])
def test_pages_take_the_stated_queries_however_much_there_is(
    clauses: None, course: Course, sara: User, root: User, people: int
) -> None:
    install_default_quota()
    grow(course, sara, 0, people)
    ines = User.objects.get(email="ines@example.edu")
    assert queries(root, ADMINISTRATOR) == ADMINISTRATOR
    assert queries(ines, TEACHER) == TEACHER
    assert queries(sara, STUDENT) == STUDENT
