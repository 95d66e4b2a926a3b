"""How many queries each page takes: stated here, and the same with ten times the data."""

import re
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, resolve

from accounts.models import User
from audit.services import record as record_act
from chat.models import Conversation, Message, Opinion, SavedPrompt
from chat.services import MOST_SAVED_PROMPTS, create_prompt, place_hold
from chat.types import Author, Shelf
from core import clock
from courses.models import Course, Permission
from courses.services import create_assignment, create_course, enroll, save_term
from courses.types import CourseRole
from gateway.models import Model, Provider, Upstream
from gateway.services import sync_catalog
from policies.selectors import list_current
from policies.services import create_notice, create_version
from quotas.models import Offer, Quota, Request
from quotas.services import install_default_quota, set_pool
from tests.authorization.test_matrix import list_routes
from tests.usage.test_record_usage import record
from usage.services import raise_alarm, roll_up
from usage.types import AlarmKind

ADMINISTRATOR = {
    "/manage/": 23,
    "/manage/alarms/": 6,
    "/manage/alarms/rules/": 9,
    "/manage/people/": 7,
    "/manage/courses/": 9,
    "/manage/courses/COMP1117/": 10,
    "/manage/quotas/": 8,
    "/manage/clauses/": 9,
    "/manage/clauses/{clause}/draft/": 6,
    "/manage/clauses/versions/{draft}/": 7,
    "/manage/clauses/{clause}/accepted/": 12,
    "/manage/holds/": 6,
    "/manage/holds/new/": 4,
    "/manage/holds/{hold}/": 7,
    "/manage/prompts/": 6,
    "/manage/prompts/{common_prompt}/": 7,
    "/manage/notices/": 6,
    "/manage/notices/new/": 4,
    "/manage/notices/{notice}/": 6,
    "/manage/settings/": 4,
    "/manage/terms/": 6,
    "/manage/terms/{term}/": 6,
    "/manage/audit/": 7,
    "/manage/people/import/": 4,
    "/manage/people/{sara}/": 9,
    "/manage/quotas/import/": 4,
    "/manage/quotas/simulation/?limit=10&unit=prompts&period=month&reason=x": 15,
    "/manage/requests/": 10,
    "/manage/pools/": 6,
    "/manage/offers/": 6,
    "/manage/models/": 12,
    "/manage/models/new/": 6,
    "/manage/models/{model}/": 15,
    "/manage/models/opinions/": 6,
    "/manage/providers/": 12,
    "/manage/providers/new/": 4,
    "/manage/providers/{provider}/": 14,
    "/manage/providers/{provider}/addresses/new/": 7,
    "/manage/providers/addresses/{upstream}/": 14,
    "/manage/usage.csv": 8,
    "/manage/usage/?by=model": 10,
    "/manage/usage/?by=user": 12,
    "/manage/usage/bill/": 7,
    "/manage/usage/calls/": 12,
    "/api/people/": 3,
    "/api/usage/": 4,
    "/api/audit/": 3,
    "/api/courses/": 3,
    "/api/enrollments/": 3,
    "/api/reports/?by=department": 12,
}
TEACHER = {
    "/review/": 5,
    "/review/requests/": 11,
    "/review/COMP1117/": 28,
    "/review/COMP1117/chats/": 9,
    "/review/COMP1117/exams/": 8,
    "/review/COMP1117/permissions/": 9,
    "/review/COMP1117/prompts/": 8,
    "/review/COMP1117/prompts/{course_prompt}/": 9,
    "/review/COMP1117/rule/": 12,
    "/review/COMP1117/rule/A1/": 13,
    "/review/COMP1117/people.csv": 27,
    "/review/COMP1117/weeks.csv": 27,
}
STUDENT = {
    "/": 21,
    "/chat/prompts/": 5,
    "/chat/prompts/{prompt}/": 6,
    "/chat/prompts/menu/?course=COMP1117": 10,
    "/courses/": 10,
    "/courses/COMP1117/": 11,
    "/usage/": 10,
    "/usage/meter/": 4,
    "/usage/requests/": 7,
    "/usage/statement.csv": 5,
    "/usage/models/": 10,
    "/usage/models.csv": 7,
    "/usage/who-looked/": 5,
    "/api/me/": 7,
    "/api/usage/": 4,
}
# Pages that show one thing, or a file whose pieces are read one after the other.
NO_LISTS = {"review/<str:code>/chats/<uuid:conversation_id>/", "manage/usage/calls.csv"}


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
        other = create_course(code=f"C{start + n}", title="Another", starts_on=course.starts_on, ends_on=course.ends_on)
        enroll(course=other, user=sara)
        set_pool(course_id=other.pk, add=10, reason="Fund", by_id=None)
        place_hold(case=f"{n}", reason="?", by_id=sara.pk, user_id=person.pk)
        raise_alarm(AlarmKind.ODD_USE, subject=f"{n}", window="", user_id=person.pk, facts={"calls": 60, "usual": 1})
        Provider.objects.create(slug=f"p{n}", name=f"P {n}", kind="openai")
    for n in range(min(people, MOST_SAVED_PROMPTS - 1)):
        save_prompts(course, sara, f"c{n}")
    Request.objects.bulk_create(Request(user=p, course=course, amount=10, reason="More") for p in crowd)
    Quota.objects.bulk_create(Quota(user=person, limit=30, reason="Exams") for person in crowd)
    Permission.objects.bulk_create(Permission(user=person, course=course, reason="?") for person in crowd)
    Model.objects.bulk_create(Model(name=f"m{n}", operation="chat") for n in range(people))
    chat = Conversation.objects.create(user=sara, title="Ships", model="m")
    said = Message.objects.bulk_create(Message(conversation=chat, author=Author.MODEL, text="Float.") for _ in crowd)
    Opinion.objects.bulk_create(
        Opinion(answer=answer, user=person, model=f"m{n}", is_good=True)
        for n, (answer, person) in enumerate(zip(said, crowd, strict=True))
    )
    Offer.objects.bulk_create(Offer(amount=n + 1, price_micro=1) for n in range(people))
    roll_up()


def save_prompts(course: Course, sara: User, command: str) -> None:
    for shelf in (Shelf(owner_id=sara.pk), Shelf(course_id=course.pk), Shelf()):
        create_prompt(shelf=shelf, command=command, title="Explain", text="Explain {{this}}.")


def queries(person: User, paths: dict[str, int], things: dict[str, object]) -> dict[str, int]:
    client, found = Client(), {}
    client.force_login(person)
    for path in paths:
        assert _read(client, path.format(**things)) == 200, path
        with CaptureQueriesContext(connection) as asked:
            _read(client, path.format(**things))
        found[path] = len(asked)
    return found


def _read(client: Client, path: str) -> int:
    response = client.get(path)
    if not response.streaming:
        return response.status_code
    response.getvalue()
    return response.status_code


@pytest.fixture
def things(course: Course, clauses: None, sara: User, root: User) -> dict[str, object]:
    """What the placeholders of the addresses stand for."""
    sync_catalog()
    version = list_current().get()
    wordings = {f"{part}_{lang}": "x" for part in ("title", "body") for lang in ("en", "zh_hant", "zh_hans")}
    create_assignment(
        course_id=course.pk, code="A1", title="One", opens_at=clock.now(), due_at=clock.now() + timedelta(days=9)
    )
    save_prompts(course, sara, "explain")
    return {
        "sara": sara.pk,
        "clause": version.clause_id,
        "draft": create_version(clause_id=version.clause_id, wordings=wordings).pk,
        "hold": place_hold(case="41", reason="x", by_id=root.pk, user_id=sara.pk).pk,
        "notice": create_notice(columns={f"text_{lang}": "Exams" for lang in ("en", "zh_hant", "zh_hans")}).pk,
        "term": save_term(code="2099", name="To come", starts_on=date(2099, 1, 1), ends_on=date(2099, 6, 1)).pk,
        "prompt": SavedPrompt.objects.get(owner=sara).pk,
        "course_prompt": SavedPrompt.objects.get(course=course).pk,
        "common_prompt": SavedPrompt.objects.get(owner=None, course=None).pk,
        "model": Model.objects.earliest("pk").pk,
        "provider": Provider.objects.earliest("pk").pk,
        "upstream": Upstream.objects.earliest("pk").pk,
    }


def test_every_page_of_these_rooms_states_its_queries(root: User, ines: User, things: dict[str, object]) -> None:
    paths = [path.format(**things).partition("?")[0] for path in (*ADMINISTRATOR, *TEACHER, *STUDENT)]
    stated = {resolve(path).route for path in paths} | NO_LISTS
    routes = {route.lstrip("/") for route in list_routes(get_resolver().url_patterns)}
    wanted = {route for route in routes if route.startswith(("manage/", "review/", "usage/", "courses/"))}
    assert {route for route in wanted - stated if "GET" in _methods(route)} == set()


def _methods(route: str) -> set[str]:
    """What the page of a route takes; asked with a method no page has."""
    nothing = re.sub(r"<int:\w+>", "0", re.sub(r"<uuid:\w+>", str(UUID(int=0)), re.sub(r"<(?:str:)?\w+>", "X", route)))
    view: Any = resolve(f"/{nothing}").func
    while hasattr(view, "__wrapped__"):
        inner = getattr(view, "__closure__", None)
        for cell in inner or ():
            if isinstance(cell.cell_contents, list) and {"GET", "POST"} & set(map(str, cell.cell_contents)):
                return set(map(str, cell.cell_contents))
        view = view.__wrapped__
    return {"GET"}


@pytest.mark.parametrize("people", [6, 60])
def test_pages_take_the_stated_queries_however_much_there_is(
    course: Course, sara: User, root: User, things: dict[str, object], people: int
) -> None:
    install_default_quota()
    grow(course, sara, 0, people)
    ines = User.objects.get(email="ines@example.edu")
    assert queries(root, ADMINISTRATOR, things) == ADMINISTRATOR
    assert queries(ines, TEACHER, things) == TEACHER
    assert queries(sara, STUDENT, things) == STUDENT
