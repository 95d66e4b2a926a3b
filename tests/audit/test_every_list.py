"""Every list of administrators and teachers sorts, filters, turns pages and exports what it shows, disarmed."""

import csv
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.urls import get_resolver

from accounts.models import User
from audit.models import Entry
from audit.services import record
from chat.models import Conversation, Hold, Message, Opinion, SavedPrompt
from chat.types import Author
from core import clock
from core.text import csv_line
from courses.models import Course, Permission
from courses.services import create_course, enroll, save_term
from courses.types import CourseRole
from gateway.models import Model, Provider
from policies.models import Clause
from policies.services import create_notice, create_version
from quotas.models import Offer, Quota, Request
from quotas.services import set_pool
from tests.authorization.test_matrix import list_routes
from usage.models import Alarm
from usage.types import AlarmKind

FORMULA = "=1+1"  # in every text that a person may have written
LISTS = {
    "/manage/people/": ["search", "role", "department", "state"],
    "/manage/courses/": ["search"],
    "/manage/courses/COMP1117/": ["search", "role", "section"],
    "/manage/terms/": [],
    "/manage/quotas/": ["search", "whom", "counts"],
    "/manage/requests/": ["search", "state", "counts"],
    "/manage/pools/": ["search", "state", "counts"],
    "/manage/offers/": ["state", "counts"],
    "/manage/clauses/": ["search", "clause", "state"],
    "/manage/notices/": ["state"],
    "/manage/models/": ["search"],
    "/manage/models/opinions/": ["search"],
    "/manage/providers/": ["search"],
    "/manage/alarms/": ["kind", "state"],
    "/manage/holds/": ["search", "state"],
    "/manage/prompts/": ["search", "language", "state"],
    "/manage/audit/": ["search", "action", "subject", "through", "first_day", "last_day"],
}
TAUGHT = {
    "/review/requests/": ["search", "state", "counts"],
    "/review/COMP1117/permissions/": ["search", "state"],
}


@pytest.fixture
def campus(root: User, ines: User, sara: User, clauses: None) -> None:
    """One of each, whose words begin as formulas do."""
    User.objects.filter(pk__in=[sara.pk, ines.pk]).update(name=FORMULA)
    today = clock.local_day(clock.now())
    course: Course = create_course(
        code="COMP1117", title=FORMULA, starts_on=date(2026, 1, 1), ends_on=today + timedelta(days=60)
    )
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=course, user=sara)
    save_term(code="2099", name=FORMULA, starts_on=date(2099, 1, 1), ends_on=date(2099, 6, 1))
    set_pool(course_id=course.pk, add=10, reason=FORMULA, by_id=None)
    Quota.objects.create(user=sara, limit=30, reason=FORMULA)
    Request.objects.create(user=sara, course=course, amount=10, reason=FORMULA)
    Permission.objects.create(user=sara, course=course, reason=FORMULA, decided_by=ines, is_given=True, answer=FORMULA)
    Offer.objects.create(amount=50, price_micro=1_000_000)
    Provider.objects.create(slug="p", name=FORMULA, kind="openai")
    Model.objects.create(name="m", label=FORMULA, operation="chat")
    wordings = {f"{part}_{lang}": FORMULA for part in ("title", "body") for lang in ("en", "zh_hant", "zh_hans")}
    create_version(clause_id=Clause.objects.get().pk, wordings=wordings, change_note=FORMULA)
    Alarm.objects.create(kind=AlarmKind.REFUSALS, subject=FORMULA, window="2026-11-01")
    SavedPrompt.objects.create(title=FORMULA, command="sum", text=FORMULA)
    chat = Conversation.objects.create(user=sara, title=FORMULA, model="m")
    answer = Message.objects.create(conversation=chat, author=Author.MODEL, text=FORMULA, model="m")
    Opinion.objects.create(answer=answer, user=sara, model="m", is_good=True)
    Hold.objects.create(user=sara, case=FORMULA, reason=FORMULA, placed_by=root)
    create_notice(columns={f"text_{lang}": FORMULA for lang in ("en", "zh_hant", "zh_hans")})
    record("test.act", subject="test/1", name=FORMULA, reason=FORMULA)


def test_each_sorts_by_its_heads_and_filters_by_its_address(
    client: Client, campus: None, root: User, ines: User
) -> None:
    for person, lists in ((root, LISTS), (ines, TAUGHT)):
        client.force_login(person)
        for path, filters in lists.items():
            page = client.get(path)
            shown = page.context["list"]
            assert shown["window"].rows, path
            assert set(filters) <= set(page.context["filters"].fields if filters else ()), path
            sortable = [head["href"] for head in heads_of(page) if head["href"]]
            assert sortable, path
            for href in sortable:
                down = client.get(href)
                assert (down.status_code, down.context["list"]["count"]) == (200, shown["count"]), href
                up = next(head["href"] for head in heads_of(down) if head["sorted"])
                assert client.get(up).status_code == 200, up
            if "search" in filters:
                nothing = client.get(path, {"search": "no such words"})
                assert not nothing.context["list"]["window"].rows, path
                assert "no such words" in nothing.text, path


@pytest.mark.django_db(transaction=True)
async def test_each_is_exported_as_it_is_shown_and_nothing_in_it_runs(campus: None, root: User, ines: User) -> None:
    client = AsyncClient()
    for person, lists in ((root, LISTS), (ines, TAUGHT)):
        await client.aforce_login(person)
        for path in lists:
            page = await client.get(path)
            shown, answer = page.context["list"], await client.get(path, {"format": "csv"})
            head, *lines = await _lines(answer)
            assert head == [str(one["title"]) for one in heads_of(page) if not one["is_hidden"]], path
            more = path == "/manage/audit/"  # the export of a list is an act, and so another line of the log
            assert len(lines) >= shown["count"] if more else len(lines) == shown["count"], path
            running = [cell for line in lines for cell in line if cell.startswith(("=", "+", "@", "-"))]
            assert running == [], path
    exported = {entry.action async for entry in Entry.objects.filter(action__endswith=".export")}
    assert len(exported) == len(LISTS) + 1, "the requests are one list in two places"


def heads_of(page: Any) -> list[dict[str, Any]]:
    return [head for cell in page.context["list"]["heads"] for head in cell]


async def _lines(response: Any) -> list[list[str]]:
    text = b"".join([piece async for piece in response.streaming_content]).decode()
    return list(csv.reader(text.removeprefix("\ufeff").splitlines()))


def test_no_list_is_left_out(client: Client, campus: None, root: User) -> None:
    client.force_login(root)
    plain = [route for route in list_routes(get_resolver().url_patterns) if re.fullmatch(r"/?manage/[a-z/]*", route)]
    pages = {f"/{route.lstrip('/')}" for route in plain}
    lists = {path for path in pages if (page := client.get(path)).status_code == 200 and "list" in (page.context or ())}
    assert lists == {path for path in LISTS if "COMP" not in path}


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_a_spreadsheet_would_run_is_text_and_numbers_stay_numbers(sign: str) -> None:
    assert csv_line([f"{sign}1+1"]).strip('\r\n"') == f"'{sign}1+1"
    assert csv_line([-5, "a=b"]) == "-5,a=b\r\n"
