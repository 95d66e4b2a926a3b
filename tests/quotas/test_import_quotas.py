"""Many rules from a file: shown first, in force when confirmed, all or nothing, each mistake by line and column."""

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.types import Role
from audit.models import Entry
from core import clock
from courses.services import create_course, enroll
from quotas import services
from quotas.errors import UnreadableRules
from quotas.models import Quota
from quotas.selectors import nearest_standing
from quotas.types import Period, Unit
from tests.quotas.conftest import principal

PAGE = "/manage/quotas/import/"
HEAD = "for,who,limit,department,unit,period,covers,starts_on,ends_on\n"


@pytest.fixture
def desk(client: Client, root: User, sara: User, omar: User, ines: User) -> Client:
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enroll(course=course, user=omar)
    services.install_default_quota()
    client.force_login(root)
    return client


def send(desk: Client, text: str, *, confirm: bool = False) -> tuple[int, str]:
    answer = desk.post(PAGE, {"text": text, "reason": "Exams"} | ({"confirm": "1"} if confirm else {}))
    return answer.status_code, answer.content.decode()


FILE = HEAD + (
    "everyone,,20,,,,,,\n"
    "role,instructor,unmetered,,,,,,\n"
    "role,student,9,eng,,,,,\n"
    "department,eng,500000,,tokens,month,,,\n"
    "course,comp1117,7.80,,money,term,,,\n"
    "person,SARA@example.edu,60,,prompts,month,,,\n"
)


@pytest.mark.both_databases
def test_a_file_is_shown_first_and_put_in_force_when_confirmed(desk: Client, sara: User, omar: User) -> None:
    services.set_quota(limit=40, user_id=sara.pk)
    before = set(Quota.objects.values_list("pk", "ends_at"))
    status, page = send(desk, FILE)
    assert status == 200
    assert "4 would be new, 1 would change, 1 stay as they are" in page
    assert "40 prompts per month → 60 prompts per month" in page
    assert set(Quota.objects.values_list("pk", "ends_at")) == before
    status, _page = send(desk, FILE, confirm=True)
    assert status == 302
    assert nearest_standing(principal(sara)).limit == 60
    assert [rule.limit for rule in Quota.objects.filter(role=Role.INSTRUCTOR)] == [None]
    money = Quota.objects.get(unit=Unit.MONEY)
    assert (money.limit, money.period, money.course and money.course.code) == (7_800_000, Period.TERM, "COMP1117")
    entry = Entry.objects.get(action="quotas.import")
    assert (entry.changes, entry.reason) == ({"same": [None, 1], "create": [None, 4], "update": [None, 1]}, "Exams")
    assert "0 would be new, 0 would change, 6 stay" in send(desk, FILE)[1]


def test_a_rule_with_days_holds_between_them(desk: Client, sara: User) -> None:
    today = clock.local_day(clock.now())
    first, last = today + timedelta(days=3), today + timedelta(days=9)
    services.set_quota(limit=40, user_id=sara.pk)
    text = f"for,who,limit,starts_on,ends_on\nperson,sara@example.edu,60,{first},{last}\n"
    assert send(desk, text, confirm=True)[0] == 302
    old, new = Quota.objects.filter(user=sara).order_by("starts_at")
    assert old.ends_at == new.starts_at == clock.start_of(first)
    assert new.ends_at == clock.start_of(last + timedelta(days=1))
    assert "0 would be new, 0 would change, 1 stay" in send(desk, text)[1]


def test_a_change_that_is_scheduled_already_stays(desk: Client, sara: User) -> None:
    later = clock.now() + timedelta(days=5)
    services.set_quota(limit=99, user_id=sara.pk, starts_at=later)
    send(desk, "for,who,limit\nperson,sara@example.edu,60\n", confirm=True)
    limits = Quota.objects.filter(user=sara).order_by("starts_at").values_list("limit", "ends_at")
    assert list(limits) == [(60, later), (99, None)]


WRONG = [
    ("pets,x,1,,,,,,", "for: Write one of everyone, role, department, course, person."),
    ("person,nobody@example.edu,1,,,,,,", "who: Nobody has the e-mail address nobody@example.edu."),
    ("person,,1,,,,,,", "who: Write whom"),
    ("everyone,all,1,,,,,,", "who: A rule for everyone names nobody."),
    ("role,king,1,,,,,,", "who: There is no role “king”"),
    ("department,alchemy,1,,,,,,", "who: There is no department “alchemy”."),
    ("course,COMP9999,1,,,,,,", "who: There is no course COMP9999."),
    ("role,student,1,alchemy,,,,,", "department: There is no department “alchemy”."),
    ("course,COMP1117,1,eng,,,,,", "department: Only a rule for a role"),
    ("person,sara@example.edu,,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,-5,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,1.5,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,1e3,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,NaN,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,inf,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,9999999999999,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,99999999999999999999999,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,٢٠,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,２０,,,,,,", "limit: Write a whole number"),
    ("person,sara@example.edu,1.23456789,,money,,,,", "limit: Write an amount of money"),
    ("person,sara@example.edu,=1+1,,,,,,", "limit: It begins like a formula"),
    ('person,"=HYPERLINK(""x"")",1,,,,,,', "who: It begins like a formula"),
    ("person,@sara,1,,,,,,", "who: It begins like a formula"),
    ("person,sara@example.edu,1,,gold,,,,", "unit: Write one of"),
    ("person,sara@example.edu,1,,prompts,century,,,", "period: Write one of"),
    ("person,sara@example.edu,1,,prompts,hour,,,", "period: This unit is not counted over this period."),
    ("person,sara@example.edu,1,,,,video,,", "covers:"),
    ("person,sara@example.edu,1,,,,,2001-01-01,", "starts_on: Choose a day to come"),
    ("person,sara@example.edu,1,,,,,31/12/2026,", "starts_on: Write a day as 2026-12-31."),
    ("person,sara@example.edu,1,,,,,2026-13-40,", "starts_on: Write a day as 2026-12-31."),
    ("person,sara@example.edu,1,,,,,２０９８-01-01,", "starts_on: Write a day as 2026-12-31."),
    ("person,sara@example.edu,1,,,,,2098-05-02,2098-05-01", "ends_on: The last day lies before the first."),
    ("everyone,,1,,,,,,2098-05-01", "ends_on: A rule for everyone has no last day"),
    ("person,omar@example.edu,5,,,,,,", "who: The same rule as on line 2."),
    ("person,sara@example.edu", "This line has more or fewer columns"),
    ("person,sa\x07ra@example.edu,1,,,,,,", "who: There is a character in it that cannot be shown."),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[said for _line, said in WRONG])
def test_each_mistake_is_told_by_line_and_column_and_nothing_is_changed(desk: Client, line: str, said: str) -> None:
    before = Quota.objects.count()
    status, page = send(desk, f"{HEAD}person,omar@example.edu,7,,,,,,\n{line}\n", confirm=True)
    assert status == 400
    assert f"Line 3, {said}" in page or f"Line 3: {said}" in page
    assert Quota.objects.count() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose a file, or write the lines."),
        ("for,who,limit\nperson,陳@example.edu,1\n".encode("big5"), "The file is not UTF-8."),
        ("for,who,limit\nperson,sara@example.edu,1\n".encode("utf-16"), "The file is not UTF-8."),
        (b"for;who;limit\nperson;sara@example.edu;1\n", "They are separated by “;”."),
        (b"for\twho\tlimit\n", "They are separated by “Tab”."),
        (b"for,who\n", "Line 1, limit: This column is missing."),
        (b"for,who,limit,limit\n", "Line 1, limit: This column stands there twice."),
        (b"for,who,limit,color\n", "Line 1, color: No column has this name here."),
        (b'for,who,limit\nperson,"sara@example.edu,1\n', "This is not CSV from here on"),
        (b"x" * 200_000, "This is not CSV from here on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_table_is_told(desk: Client, content: bytes, said: str) -> None:
    answer = desk.post(PAGE, {"file": SimpleUploadedFile("r.csv", content), "reason": "Exams", "confirm": "1"})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert Quota.objects.count() == 1


def test_a_file_of_a_spreadsheet_with_its_mark_is_read(desk: Client, sara: User) -> None:
    content = '\ufefffor,who,limit\r\nperson,sara@example.edu,"1,000"\r\n\r\n'.encode()
    desk.post(PAGE, {"file": SimpleUploadedFile("r.csv", content), "reason": "Exams", "confirm": "1"})
    assert nearest_standing(principal(sara)).limit == 1000


def test_the_reason_is_asked_for(desk: Client) -> None:
    assert desk.post(PAGE, {"text": "for,who,limit\neveryone,,5\n", "confirm": "1"}).status_code == 400
    assert Quota.objects.count() == 1


def test_statements_do_not_grow_with_the_lines(desk: Client, root: User) -> None:
    User.objects.bulk_create(User(email=f"p{n}@example.edu", name=f"P {n}") for n in range(400))
    asked = []
    for people in (4, 400):
        text = "for,who,limit\n" + "".join(f"person,p{n}@example.edu,{people}\n" for n in range(people))
        with CaptureQueriesContext(connection) as statements:
            services.import_quotas(text=text.splitlines(), reason="Exams", by_id=root.pk)
        asked.append(len(statements))
    assert asked[1] - asked[0] < 20  # SQLite takes a few dozen rows in a statement
    assert Quota.objects.filter(limit=400, ends_at=None).count() == 400


def test_a_line_that_is_wrong_takes_back_all_of_them(desk: Client, root: User) -> None:
    lines = ["for,who,limit", "person,sara@example.edu,1", "person,nobody@example.edu,1"]
    with pytest.raises(UnreadableRules) as refused:
        services.import_quotas(text=lines, reason="Exams", by_id=root.pk)
    assert [(problem.line, problem.column) for problem in refused.value.problems] == [(3, "who")]
    assert Quota.objects.count() == 1
