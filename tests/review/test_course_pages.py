"""A teacher reads how much a course used, by whom and in which week; nobody else does, and nobody reads texts."""

import csv
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.models import User
from core import clock
from core.types import Operation
from courses.models import Course
from courses.services import create_course, enroll, remove_enrollment
from courses.types import CourseRole
from tests.usage.test_record_usage import record

PAGE = "/review/COMP1117/"


@pytest.fixture
def comp(ines: User, sara: User, omar: User, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course of three weeks, today a Sunday, with some use of its own and some that is not."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    course = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 11, 2), ends_on=date(2026, 12, 20), term="Term 1"
    )
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=course, user=sara)
    enroll(course=course, user=omar)
    record(sara, course_id=course.pk, started_at=datetime(2026, 11, 4, 4, 0, tzinfo=UTC), model="big", prompts=2)
    record(sara, course_id=course.pk, started_at=datetime(2026, 11, 18, 4, 0, tzinfo=UTC), model="small")
    record(omar, course_id=course.pk, started_at=datetime(2026, 11, 18, 5, 0, tzinfo=UTC), operation=Operation.IMAGE)
    record(omar, started_at=datetime(2026, 11, 18, 6, 0, tzinfo=UTC), model="private-use")
    return course


@pytest.fixture
def teacher(client: Client, ines: User) -> Client:
    client.force_login(ines)
    return client


def table(response: object) -> list[list[str]]:
    return list(csv.reader(response.content.decode().removeprefix("\ufeff").splitlines()))  # type: ignore[attr-defined]


def test_the_teacher_sees_weeks_and_people_of_the_course_alone(teacher: Client, comp: Course) -> None:
    response = teacher.get(PAGE)
    use = response.context["use"]
    assert [(week.monday.day, week.total, week.people) for week in use.weeks] == [(2, 2, 1), (9, 0, 0), (16, 2, 2)]
    assert [(person.name, person.total.prompts) for person in use.people] == [
        ("Sara Chan", 3),
        ("Omar Lee", 1),
        ("Ines Wong", 0),
    ]
    assert (use.total.prompts, use.asked) == (4, 2)
    assert "private-use" not in response.content.decode()


def test_the_chart_names_the_busiest_week_and_draws_what_the_table_says(teacher: Client, comp: Course) -> None:
    html = teacher.get(PAGE, {"by": "operation"}).content.decode()
    assert "Most in the week of 2 November: 2 prompts" in html
    assert html.count('<rect class="s1" x=') + html.count('<rect class="s2" x=') == 3
    assert "style=" not in html


@pytest.mark.parametrize(
    ("query", "prompts"),
    [
        ({"operation": "image"}, 1),
        ({"model": "big"}, 2),
        ({"first_day": "2026-11-16"}, 2),
        ({"last_day": "2026-11-08"}, 2),
        ({"first_day": "2026-11-09", "last_day": "2026-11-10"}, 0),
    ],
)
def test_a_filter_narrows_page_and_csv_alike(
    teacher: Client, comp: Course, query: dict[str, str], prompts: int
) -> None:
    assert teacher.get(PAGE, query).context["use"].total.prompts == prompts
    assert table(teacher.get(f"{PAGE}weeks.csv", query))[-1][-2] == str(prompts)
    assert table(teacher.get(f"{PAGE}people.csv", query))[-1][3] == str(prompts)


def test_the_csv_files_are_the_tables(teacher: Client, comp: Course) -> None:
    weeks, people = table(teacher.get(f"{PAGE}weeks.csv")), table(teacher.get(f"{PAGE}people.csv"))
    assert [line[0] for line in weeks] == ["Week from", "2026-11-02", "2026-11-09", "2026-11-16", "In all"]
    assert people[1][:4] == ["Sara Chan", "sara@example.edu", "Student", "3"]


def test_who_left_the_course_is_counted_and_not_named(teacher: Client, comp: Course, omar: User) -> None:
    remove_enrollment(course_id=comp.pk, user_id=omar.pk)
    response = teacher.get(PAGE)
    assert response.context["use"].others[0] == 1
    assert response.context["use"].total.prompts == 4
    assert "Omar" not in response.content.decode()


def test_many_models_share_the_last_color(teacher: Client, comp: Course, sara: User) -> None:
    for number in range(9):
        at = datetime(2026, 11, 5, number, tzinfo=UTC)
        record(sara, course_id=comp.pk, started_at=at, model=f"model-{number}")
    use = teacher.get(PAGE).context["use"]
    assert len(use.parts) == 6
    assert sum(use.part_totals) == use.total.prompts == 13


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}weeks.csv", f"{PAGE}people.csv", "/review/NONE/"])
def test_only_who_teaches_it_now_gets_in(client: Client, comp: Course, ines: User, root: User, page: str) -> None:
    client.force_login(root)
    assert client.get(page).status_code == 404
    remove_enrollment(course_id=comp.pk, user_id=ines.pk)
    client.force_login(ines)
    assert client.get(page).status_code == 404
    assert "Programming" not in client.get("/review/").content.decode()


def test_a_student_is_refused_and_a_stranger_asked_to_sign_in(client: Client, comp: Course, sara: User) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(sara)
    assert client.get(PAGE).status_code == 403
    assert client.get("/review/").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        {"first_day": "yesterday"},
        {"first_day": "2026-11-09", "last_day": "2026-11-01"},
        {"first_day": "1999-01-01"},
        {"by": "shoe size"},
        {"operation": "x"},
    ],
)
def test_a_filter_that_means_nothing_is_told(teacher: Client, comp: Course, query: dict[str, str]) -> None:
    response = teacher.get(PAGE, query)
    assert response.status_code == 400
    assert 'class="problem"' in response.content.decode()
    assert teacher.get(f"{PAGE}weeks.csv", query).status_code == 400
