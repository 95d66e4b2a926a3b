"""Administrators make courses and bring rosters in line, seeing the difference before it happens."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from courses.models import Course
from courses.services import create_course, enroll

COURSES = "/manage/courses/"
ROSTER = "email,role\nines@example.edu,instructor\nsara@example.edu,student\n"
NEW = {"code": "hist2021", "title": "History", "starts_on": "2026-09-01", "ends_on": "2026-12-20"}


@pytest.fixture
def desk(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def comp(db: None) -> Course:
    return create_course(code="COMP1117", title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))


def places(course: Course) -> set[str]:
    return set(course.enrollments.values_list("user__email", flat=True))


def test_a_course_is_made_changed_and_found(desk: Client) -> None:
    assert desk.post(COURSES, NEW).headers["Location"] == f"{COURSES}HIST2021/"
    assert desk.post(f"{COURSES}HIST2021/", NEW | {"title": "World history"}).status_code == 302
    found = desk.get(COURSES, {"search": "world"}).context["list"]["window"].rows
    assert [(course.code, course.title) for course in found] == [("HIST2021", "World history")]


@pytest.mark.usefixtures("ines", "sara")
def test_a_roster_shows_its_difference_and_then_holds(desk: Client, comp: Course, omar: User) -> None:
    enroll(course=comp, user=omar)
    file = SimpleUploadedFile("roster.csv", ("\ufeff" + ROSTER).encode())
    preview = desk.post(f"{COURSES}COMP1117/roster/", {"file": file, "remove_absent": "on"})
    assert [change.action for change in preview.context["changes"]] == ["enroll", "enroll", "remove"]
    assert places(comp) == {omar.email}
    kept = preview.context["roster_form"].initial
    done = desk.post(f"{COURSES}COMP1117/roster/", {**kept, "remove_absent": "on", "confirm": "1"})
    assert done.status_code == 302
    assert places(comp) == {"ines@example.edu", "sara@example.edu"}


@pytest.mark.usefixtures("sara")
def test_a_bad_line_is_named_and_what_was_sent_is_kept_to_mend(desk: Client, comp: Course) -> None:
    sent = "email,role\nsara@example.edu,king\n"
    response = desk.post(f"{COURSES}COMP1117/roster/", {"text": sent, "confirm": "1"})
    assert response.status_code == 400
    html = response.content.decode()
    assert "Line 2" in html
    assert "sara@example.edu,king" in html
    assert places(comp) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose a file, or write the lines."),
        (b"\xff\xfe\x00", "The file is not UTF-8."),
        (b"x" * (1024 * 1024 + 1), "This is not CSV from here on"),
        (b"email;role\na@example.edu;student\n", "Separate them by commas"),
        (b"email,role\n=cmd(),student\n", "Line 2, email: It begins like a formula"),
        (b"email,role\na\x00@example.edu,student\n", "Line 2, email: There is a character"),
    ],
)
def test_a_file_that_is_no_roster_is_told(desk: Client, comp: Course, content: bytes, said: str) -> None:
    response = desk.post(f"{COURSES}COMP1117/roster/", {"file": SimpleUploadedFile("r.csv", content)})
    assert response.status_code == 400
    assert said in response.content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": ""}, "code"),
        ({"code": "a b"}, "code"),
        ({"code": "comp1117"}, "code"),
        ({"title": ""}, "title"),
        ({"starts_on": "someday"}, "starts_on"),
        ({"ends_on": "2026-08-01"}, ""),
    ],
)
def test_a_course_that_does_not_fit_is_told_by_field(
    desk: Client, comp: Course, wrong: dict[str, str], field: str
) -> None:
    response = desk.post(COURSES, NEW | wrong)
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {field or "__all__"}
    assert Course.objects.count() == 1


@pytest.mark.parametrize("page", [COURSES, f"{COURSES}COMP1117/", f"{COURSES}COMP1117/roster/"])
def test_only_administrators_manage_courses(client: Client, comp: Course, sara: User, ines: User, page: str) -> None:
    assert client.post(page).status_code == 302
    for user in (sara, ines):
        client.force_login(user)
        assert client.post(page).status_code == 403


def test_a_course_that_is_not_there_is_not_found(desk: Client) -> None:
    assert desk.get(f"{COURSES}NONE/").status_code == 404
    assert desk.post(f"{COURSES}NONE/roster/").status_code == 404
