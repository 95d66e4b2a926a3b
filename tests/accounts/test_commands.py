"""The command line: import_people and issue_key."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.authentication import authenticate_api_key
from accounts.errors import InvalidApiKey
from accounts.models import ApiKey, User
from accounts.types import Role
from core import clock
from tests.conftest import PASSWORD

HEADER = "email,name,role,department,password\n"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def people_csv(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(
        HEADER
        + f"new@example.edu,New Person,instructor,eng,{PASSWORD}\n"
        + "plain@example.edu,陳大文,student,,\n"
        + "SARA@example.edu,Sara Chan,staff,eng,a password that is not taken\n",
        encoding="utf-8-sig",
    )
    return file


def test_people_are_created_and_updated(sara: User, people_csv: Path) -> None:
    told = run("import_people", str(people_csv))
    new = User.objects.get(email="new@example.edu")
    assert (new.role, new.department, new.check_password(PASSWORD)) == (Role.INSTRUCTOR, sara.department, True)
    plain = User.objects.get(email="plain@example.edu")
    assert (plain.name, plain.has_usable_password()) == ("陳大文", False)
    after = User.objects.get(id=sara.id)
    assert after.role == Role.STAFF
    assert after.check_password(PASSWORD), "an import must not take back a password"
    assert "role: student → staff" in told
    assert "create 2, update 1, leave 0" in told
    assert PASSWORD not in told


def test_importing_again_changes_nothing(sara: User, people_csv: Path) -> None:
    run("import_people", str(people_csv))
    before = list(User.objects.order_by("id").values())
    assert "create 0, update 0, leave 3" in run("import_people", str(people_csv))
    assert list(User.objects.order_by("id").values()) == before


def test_a_dry_run_shows_the_difference_and_changes_nothing(sara: User, people_csv: Path) -> None:
    told = json.loads(run("import_people", str(people_csv), "--dry-run", "--json"))
    assert [(person["line"], person["action"]) for person in told["people"]] == [
        (2, "create"),
        (3, "create"),
        (4, "update"),
    ]
    assert told["people"][2]["changes"] == {"role": ["student", "staff"]}
    assert User.objects.count() == 1
    assert User.objects.get().role == Role.STUDENT


def test_every_bad_line_is_named_and_none_is_imported(sara: User, root: User, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    lines = [
        "good@example.edu,Good,student,eng,",
        "not an address,X,student,eng,",
        "a@example.edu,X,emperor,eng,",
        "b@example.edu,X,student,alchemy,",
        "c@example.edu,,student,eng,",
        "d@example.edu,X,student,eng,short-secret",
        "GOOD@example.edu,Again,student,eng,",
        "e@example.edu,X,student",
        "root@example.edu,Ruth Ho,staff,,",
    ]
    file.write_text(HEADER + "\n".join(lines))
    with pytest.raises(CommandError) as refused:
        run("import_people", str(file))
    told = str(refused.value).splitlines()
    assert [line.split(":")[0].split(",")[0] for line in told[1:]] == [f"Line {n}" for n in range(3, 11)]
    assert "alchemy" in told[3]
    assert "known are: eng" in told[3]
    assert "line 2" in told[6]
    assert "short-secret" not in str(refused.value)
    assert set(User.objects.values_list("email", flat=True)) == {sara.email, root.email}
    assert User.objects.get(id=root.id).role == Role.ADMIN


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must name the columns"),
        (b"email;name;role;department\n", "must name the columns"),
        (b"email,name,role,department,shoe size\n", "must name the columns"),
        (b"email,email,name,role,department\n", "must name the columns"),
        ("email,name,role,department\nx@example.edu,陳,student,\n".encode("big5"), "not UTF-8"),
        (b'email,name,role,department\n"x@example.edu,X,student,\n', "not CSV"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_sentence(
    db: None, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=sentence):
        run("import_people", str(file))


def test_a_file_that_is_not_there_is_named(db: None) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read"):
        run("import_people", "nowhere.csv")


def test_the_key_stands_alone_on_the_last_line(sara: User) -> None:
    secret = run("issue_key", "Sara@example.edu", "--name", "first try").splitlines()[-1]
    assert authenticate_api_key(secret).user_id == sara.id
    assert ApiKey.objects.get().name == "first try"


def test_a_key_works_through_its_last_day(sara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(run("issue_key", sara.email, "--expires", "2050-06-30", "--json"))
    assert told["expires_at"].startswith("2050-06-30 16:00")
    end = ApiKey.objects.get().expires_at
    monkeypatch.setattr(clock, "now", lambda: end)
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(told["key"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody@example.edu"],
        ["sara@example.edu", "--expires", "soon"],
        ["sara@example.edu", "--expires", "9999-12-31"],
        ["sara@example.edu", "--expires", "2020-01-01"],
        ["sara@example.edu", "--name", " "],
    ],
)
def test_no_key_is_made_for_nobody_or_for_a_day_that_is_over(sara: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("issue_key", *arguments)
    assert not ApiKey.objects.exists()
