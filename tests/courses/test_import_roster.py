"""import_roster: all of a file or nothing, and a difference to look at first."""

import json
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from courses.models import Course, Enrollment
from courses.services import create_course, enroll
from courses.types import CourseRole


@pytest.fixture
def course(omar: User) -> Course:
    """A course with Omar in it."""
    course = create_course(
        code="COMP1117", title="Programming I", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20)
    )
    enroll(course=course, user=omar)
    return course


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "roster.csv"
    file.write_text("email, role\nSara@example.edu,student\nines@example.edu, Instructor\n", encoding="utf-8-sig")
    return file


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("import_roster", *arguments, stdout=out)
    return out.getvalue()


def roles() -> dict[str, str]:
    return dict(Enrollment.objects.values_list("user__email", "role"))


def test_a_roster_enrolls_and_leaves_who_is_not_in_it(course: Course, sara: User, ines: User, file: Path) -> None:
    told = run("comp1117", str(file))
    assert roles() == {
        "omar@example.edu": "student",
        "sara@example.edu": "student",
        "ines@example.edu": "instructor",
    }
    assert "enroll 2, change 0, remove 0, leave 0" in told
    assert "leave 2" in run("COMP1117", str(file))


def test_who_is_absent_is_removed_on_request(course: Course, sara: User, ines: User, file: Path) -> None:
    assert "remove  omar@example.edu  student → –" in run("COMP1117", str(file), "--remove-absent")
    assert set(roles()) == {"sara@example.edu", "ines@example.edu"}


def test_a_dry_run_shows_the_difference_and_changes_nothing(course: Course, sara: User, ines: User, file: Path) -> None:
    enroll(course=course, user=sara, role=CourseRole.ASSISTANT)
    before = roles()
    told = json.loads(run("COMP1117", str(file), "--dry-run", "--remove-absent", "--json"))
    assert roles() == before
    assert [(change["line"], change["action"]) for change in told["people"]] == [
        (2, "change"),
        (3, "enroll"),
        (None, "remove"),
    ]


def test_every_bad_line_is_named_and_none_is_imported(course: Course, sara: User, file: Path) -> None:
    file.write_text(
        "email,role\nsara@example.edu,student\nnobody@example.edu,student\nsara@example.edu,assistant\n"
        "omar@example.edu,emperor\nomar@example.edu\nomar@example.edu,instructor\n"
    )
    with pytest.raises(CommandError) as refused:
        run("COMP1117", str(file))
    told = str(refused.value).splitlines()[1:]
    assert [line.split(":")[0].split(",")[0] for line in told] == [f"Line {n}" for n in range(3, 8)]
    assert roles() == {"omar@example.edu": "student"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must name the columns"),
        (b"email;role\n", "must name the columns"),
        (b"email,role,email\n", "must name the columns"),
        ("email,role\n陳@example.edu,student\n".encode("big5"), "not UTF-8"),
        (b'email,role\n"sara@example.edu,student\n', "not CSV"),
    ],
)
def test_what_is_no_roster_is_refused_with_a_sentence(
    course: Course, file: Path, content: bytes, sentence: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(CommandError, match=sentence):
        run("COMP1117", str(file))


def test_an_unknown_course_and_a_missing_file_are_named(course: Course, file: Path) -> None:
    with pytest.raises(CommandError, match="There is no course COMP9999"):
        run("COMP9999", str(file))
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read"):
        run("COMP1117", "nowhere.csv")
