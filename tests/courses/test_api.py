"""Courses and enrollments under /api/: who reads and writes what."""

from datetime import date

import pytest
from django.test import Client

from accounts.models import User
from courses.models import Course, Enrollment
from courses.services import create_course, enroll
from courses.types import CourseRole

TERM = {"starts_on": "2026-09-01", "ends_on": "2026-12-20"}


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def course(sara: User, ines: User) -> Course:
    """COMP1117, taught by Ines, with Sara in it."""
    course = create_course(
        code="COMP1117", title="Programming I", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20)
    )
    enroll(course=course, user=sara)
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    return course


def test_an_administrator_makes_and_changes_a_course(root: User, sara: User) -> None:
    client = signed_in(root)
    made = client.post(
        "/api/courses/", {"code": "hist2021", "title": "Maps", "department": "eng", **TERM}, "application/json"
    )
    assert (made.status_code, made.json()["code"], made.json()["department"]) == (201, "HIST2021", "eng")
    changed = client.patch(
        "/api/courses/HIST2021/", {"code": "HIST2021", "title": "Maps of Hong Kong"}, "application/json"
    )
    assert changed.json()["title"] == Course.objects.get().title == "Maps of Hong Kong"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": "COMP1117"}, "code"),
        ({"code": "no spaces"}, "code"),
        ({"title": ""}, "title"),
        ({"starts_on": "soon"}, "starts_on"),
        ({"department": "alchemy"}, "department"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(course: Course, root: User, wrong: dict[str, str], field: str) -> None:
    answer = signed_in(root).post("/api/courses/", {"code": "X1", "title": "X", **TERM, **wrong}, "application/json")
    assert answer.status_code == 400
    assert set(answer.json()["error"]["fields"]) == {field}
    assert Course.objects.count() == 1


def test_a_course_keeps_its_code_and_ends_after_it_starts(course: Course, root: User) -> None:
    client = signed_in(root)
    other = client.patch("/api/courses/COMP1117/", {"code": "COMP9999"}, "application/json")
    assert set(other.json()["error"]["fields"]) == {"code"}
    ends = client.patch("/api/courses/COMP1117/", {"ends_on": "2026-01-01"}, "application/json")
    assert (ends.status_code, ends.json()["error"]["message"]) == (400, "The last day lies before the first.")


def test_everyone_else_reads_the_courses_they_are_in(course: Course, sara: User, omar: User) -> None:
    assert [c["code"] for c in signed_in(sara).get("/api/courses/").json()["results"]] == ["COMP1117"]
    assert signed_in(omar).get("/api/courses/").json()["results"] == []
    assert signed_in(omar).get("/api/courses/COMP1117/").status_code == 404
    for method in ("post", "patch"):
        path = "/api/courses/" if method == "post" else "/api/courses/COMP1117/"
        assert getattr(signed_in(sara), method)(path, {"title": "Mine"}, "application/json").status_code == 403


def test_an_administrator_enrolls_changes_the_role_and_removes(course: Course, root: User, omar: User) -> None:
    client = signed_in(root)
    wish = {"course": "COMP1117", "person": omar.email}
    made = client.post("/api/enrollments/", wish, "application/json")
    assert (made.status_code, made.json()["name"], made.json()["role"]) == (201, "Omar Lee", "student")
    again = client.post("/api/enrollments/", {**wish, "role": "assistant"}, "application/json")
    assert (again.json()["id"], again.json()["role"]) == (made.json()["id"], "assistant")
    teaching = client.post("/api/enrollments/", {**wish, "role": "instructor"}, "application/json")
    assert set(teaching.json()["error"]["fields"]) == {"role"}
    assert client.delete(f"/api/enrollments/{made.json()['id']}/").status_code == 204
    assert not Enrollment.objects.filter(user=omar).exists()


def test_a_teacher_reads_the_roster_and_a_student_only_the_own_line(course: Course, sara: User, ines: User) -> None:
    roster = signed_in(ines).get("/api/enrollments/?course=COMP1117").json()["results"]
    assert {line["person"] for line in roster} == {sara.email, ines.email}
    (own,) = signed_in(sara).get("/api/enrollments/").json()["results"]
    assert own["person"] == sara.email
    hers = Enrollment.objects.get(user=ines)
    assert signed_in(sara).get(f"/api/enrollments/{hers.pk}/").status_code == 404
    assert signed_in(ines).delete(f"/api/enrollments/{own['id']}/").status_code == 403
    assert signed_in(ines).post("/api/enrollments/", {}, "application/json").status_code == 403
