"""Lists of the administrators' pages: sorted, filtered, turned by key both ways, exported as they are shown."""

import csv
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.lists import Rows, window_of
from audit.models import Entry
from audit.services import record
from tests.usage.test_record_usage import record as record_call
from usage.models import UsageRecord
from usage.selectors import page_records
from usage.types import UsageFilters

PEOPLE, AUDIT = "/manage/people/", "/manage/audit/"


@pytest.fixture
def crowd(root: User) -> None:
    """A hundred and twenty people, of whom ten share each name."""
    User.objects.bulk_create(User(email=f"p{n:03}@example.edu", name=f"Name {n // 10:02}") for n in range(120))


def names(response: Any) -> list[str]:
    return [person.email for person in response.context["list"]["window"].rows]


@pytest.mark.parametrize("kind", [QuerySet.all, list])
@pytest.mark.parametrize("order", ["name", "-name", "email", "-created_at", "is_active"])
def test_pages_by_key_show_everyone_once_forward_and_back(
    crowd: None, order: str, kind: Callable[[QuerySet[User]], Rows]
) -> None:
    rows, seen, after, windows = kind(User.objects.all()), [], None, []
    while True:
        window = window_of(rows, order=order, after=after)
        windows.append(window)
        seen += [row.pk for row in window.rows]
        after = window.after
        if after is None:
            break
    assert sorted(seen) == sorted(row.pk for row in rows)
    assert len(windows) == 3
    back = window_of(rows, order=order, before=windows[2].before)
    assert [row.pk for row in back.rows] == [row.pk for row in windows[1].rows]
    first = window_of(rows, order=order, before=back.before)
    assert [row.pk for row in first.rows] == [row.pk for row in windows[0].rows]
    assert (windows[0].before, first.before, windows[2].after) == (None, None, None)


def test_the_address_sorts_and_filters_and_its_links_keep_both(client: Client, root: User, crowd: None) -> None:
    client.force_login(root)
    page = client.get(PEOPLE, {"search": "p0", "sort": "-email"})
    assert names(page)[0] == "p099@example.edu"
    assert page.context["list"]["count"] == 100
    content = page.content.decode()
    assert "search=p0&amp;sort=email" in content
    following = client.get(PEOPLE, {"search": "p0", "sort": "-email", "after": page.context["list"]["window"].after})
    assert names(following)[0] == "p049@example.edu"


@pytest.mark.parametrize("query", [{"sort": "password"}, {"sort": "--name"}, {"after": "77777777"}])
def test_what_no_list_knows_is_passed_over(client: Client, root: User, query: dict[str, str]) -> None:
    client.force_login(root)
    assert names(client.get(PEOPLE, query)) == [root.email]


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "9" * 30}, {"before": "1.5"}, {"role": "king"}])
def test_nonsense_is_refused(client: Client, root: User, query: dict[str, str]) -> None:
    client.force_login(root)
    assert client.get(PEOPLE, query).status_code == 400


@pytest.mark.django_db(transaction=True)
async def test_the_file_holds_every_page_in_the_same_order_and_disarms_formulas(root: User, crowd: None) -> None:
    await User.objects.filter(email="p119@example.edu").aupdate(name="=1+1")
    client = AsyncClient()
    await client.aforce_login(root)
    response = await client.get(PEOPLE, {"search": "example.edu", "sort": "-email", "format": "csv"})
    text = b"".join([piece async for piece in response.streaming_content]).decode()  # type: ignore[attr-defined]
    lines = list(csv.reader(text.removeprefix("\ufeff").splitlines()))
    assert lines[0] == ["Name", "E-mail", "Role", "Department", "State", "Created"]
    assert [line[1] for line in lines[1:3]] == ["root@example.edu", "p119@example.edu"]
    assert lines[2][0] == "'=1+1"
    assert len(lines) == 122
    entry = await Entry.objects.aget(action="people.export")
    assert entry.changes == {"asked": [None, "search=example.edu&sort=-email"]}


def test_queries_do_not_grow_with_the_list(
    client: Client, root: User, crowd: None, django_assert_num_queries: Callable[..., Any]
) -> None:
    client.force_login(root)
    with django_assert_num_queries(7):
        client.get(PEOPLE)


def test_the_log_is_read_filtered_and_checked_on_its_page(client: Client, root: User, sara: User) -> None:
    for number in range(3):
        record("test.act", subject=f"test/{number}", name="Algebra", changes={"limit": [20, 30]})
    client.force_login(root)
    page = client.get(AUDIT, {"search": "alge", "subject": "test/1"})
    assert "limit: 20 → 30" in page.content.decode()
    assert page.context["list"]["count"] == 1
    assert client.get(AUDIT, {"action": "TEST!"}).status_code == 400
    client.force_login(sara)
    assert client.get(AUDIT).status_code == 403
    assert client.post(f"{AUDIT}verify/").status_code == 403


def test_a_broken_log_is_said_aloud(client: Client, root: User) -> None:
    record("test.act", subject="test/1")
    client.force_login(root)
    assert "There is no anchor" in client.post(f"{AUDIT}verify/", follow=True).content.decode()


def test_a_file_of_people_is_shown_first_and_imported_when_confirmed(client: Client, root: User, sara: User) -> None:
    client.force_login(root)
    lines = "email,name,role,department\nsara@example.edu,Sara Chan,staff,eng\nnew@example.edu,Neo,student,\n"
    page = client.post(f"{PEOPLE}import/", {"text": lines})
    assert "role: student → staff" in page.content.decode()
    assert not User.objects.filter(email="new@example.edu").exists()
    assert client.post(f"{PEOPLE}import/", {"text": lines, "confirm": "1"}).status_code == 302
    sara.refresh_from_db()
    assert (sara.role, User.objects.filter(email="new@example.edu").exists()) == ("staff", True)
    assert Entry.objects.get(action="people.import").changes == {"update": [None, 1], "create": [None, 1]}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("email;name;role;department\na@example.edu;A;student;", "The first line must name the columns"),
        ("email,email,role,department\n", "The first line must name the columns"),
        ("email,name,role\na@example.edu,A,student\n", "The first line must name the columns"),
        ("email,name,role,department\na@example.edu,A,king,\n", "Line 2, role: There is no role"),
        ("email,name,role,department\na@example.edu,A,student,nowhere\n", "Line 2, department: There is no department"),
        ("email,name,role,department\na@example.edu,A,student,,\n", "Line 2: This line has more or fewer"),
        ("email,name,role,department\na@b.edu,A,student,\nnobody,B,student,\n", "Line 3, email:"),
        ("", "Choose a file, or write the lines."),
    ],
)
def test_a_file_that_is_not_right_changes_nothing(client: Client, root: User, lines: str, said: str) -> None:
    client.force_login(root)
    page = client.post(f"{PEOPLE}import/", {"text": lines, "confirm": "1"})
    assert page.status_code == 400
    assert said in page.content.decode()
    assert User.objects.count() == 1


def test_a_later_page_says_where_an_index_can_begin(crowd: None, sara: User) -> None:
    record_call(sara)
    last = UsageRecord.objects.get().pk
    pages: list[tuple[Callable[[], object], str]] = [
        (lambda: window_of(User.objects.all(), order="email", after=sara.pk), '"email" >= '),
        (lambda: window_of(User.objects.all(), order="-email", after=sara.pk), '"email" <= '),
        (lambda: page_records(UsageFilters(), after=last, limit=10), '"started_at" <= '),
    ]
    for read, begins in pages:
        with CaptureQueriesContext(connection) as queries:
            read()
        page = queries.captured_queries[-1]["sql"]
        assert begins in page, "PostgreSQL would read every row of the pages before"
