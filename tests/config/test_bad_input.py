"""Wrong requests to every address there is, read from the URLconf so that none is forgotten."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import date

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from chat.models import Conversation
from courses.services import create_course, enroll
from courses.types import CourseRole
from gateway.services import sync_catalog
from policies.selectors import list_outstanding
from policies.services import acknowledge
from quotas.models import LedgerEntry
from quotas.services import install_default_quota, set_quota
from quotas.types import Period

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.both_databases  # NUL and large numbers are errors of PostgreSQL alone

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# Converters and regular expressions of the router alike take one of these, and nothing lives there.
NOBODY = {"uuid": "00000000-0000-0000-0000-000000000000", "int": "99999999999999999999", "str": "a%00b"}


def list_routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern).lstrip("^").removesuffix("$").removesuffix("\\Z")
        if isinstance(pattern, URLResolver):
            yield from list_routes(pattern.url_patterns, route)
        elif not route.startswith(("admin/", "accounts/")):  # django's and allauth's own
            yield route


def fill(route: str) -> str:
    """An address of the route."""
    for kind, value in NOBODY.items():
        while (start := route.find(f"<{kind}:")) >= 0:
            route = route[:start] + value + route[route.index(">", start) + 1 :]
    if "(?P<" in route:
        start = route.index("(?P<")
        route = route[:start] + NOBODY["int"] + route[route.rindex(")") + 1 :]
    return "/" + route


ADDRESSES = sorted({fill(route) for route in list_routes(get_resolver().url_patterns)})
LISTS = [
    "clauses",
    "courses",
    "enrollments",
    "grants",
    "keys",
    "models",
    "people",
    "providers",
    "quotas",
    "requests",
    "usage",
]


@pytest.fixture
def signed_in(root: User, clauses: None, spared_turn: None) -> Client:
    """An administrator, who gets furthest."""
    install_default_quota()
    sync_catalog()
    for version in list_outstanding(root.id):
        acknowledge(user_id=root.id, version_id=version.id, language="en")
    client = Client()
    client.force_login(root)
    return client


def list_failures(client: Client, ask: Callable[[str], int]) -> list[str]:
    """The addresses that fail when they are asked so, or charge somebody. Each is asked as if it were the first.

    Args:
        ask: gives the status of the answer.
    """
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    failures = []
    for address in ADDRESSES:
        client.cookies[settings.SESSION_COOKIE_NAME] = session  # the one before may have ended it
        with transaction.atomic():
            status = ask(address)
            if status >= 500 or LedgerEntry.objects.exists():
                failures.append(f"{address}: {status}")
            transaction.set_rollback(True)
    return failures


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"{"),
        (JSON, b"[" * 100_000),
        (JSON, b'{"a": NaN}'),
        pytest.param(JSON, rb'{"text": "\ud800", "model": "\ud800", "role": "\ud800"}', marks=BOTH),
        (JSON, b"\xff\xfe"),
        (JSON, b"null"),
        pytest.param(FORM, b"a=%ff%00&text=%00&model=%00&code=%00&email=%00", marks=BOTH),
        ("multipart/form-data", b"no boundary"),
        ("text/plain", b"text"),
    ],
)
def test_malformed_bodies_are_refused_everywhere_and_charge_nothing(signed_in: Client, kind: str, body: bytes) -> None:
    assert list_failures(signed_in, lambda address: signed_in.generic("POST", address, body, kind).status_code) == []


@BOTH
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_that_nobody_expects_are_refused_everywhere(signed_in: Client, method: str) -> None:
    assert list_failures(signed_in, lambda address: signed_in.generic(method, address, b"[", JSON).status_code) == []


@BOTH
@pytest.mark.parametrize("value", ["%00", "9" * 30, "٣", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00"])
def test_nonsense_in_an_address_is_refused_or_passed_over(signed_in: Client, value: str) -> None:
    names = ["before", "after", "current", "deleted", "page", "limit", "month", "sort", "by", "first_day", "person"]
    query = "&".join(f"{name}={value}" for name in names)
    assert list_failures(signed_in, lambda address: signed_in.get(f"{address}?{query}").status_code) == []


@BOTH
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "٣"])
@pytest.mark.parametrize("name", ["first_day", "last_day"])
def test_a_day_that_no_calendar_reaches_is_told_on_the_page(signed_in: Client, name: str, day: str) -> None:
    for address in ("/manage/usage/", "/manage/usage/calls/"):
        assert signed_in.get(address, {name: day}).status_code < 500


def test_a_choice_of_language_comes_back_to_an_address_only(signed_in: Client) -> None:
    for address in ("/language/", "/appearance/"):
        assert signed_in.post(address, {"next": "no:view"}).status_code == 302


@BOTH
@pytest.mark.parametrize("resource", LISTS)
@pytest.mark.parametrize("position", ["p=abc", "p=%00", "p=" + "9" * 30, "r=1&p=2026-13", "o=-1", "r=x"])
def test_a_cursor_that_no_list_gave_out_leads_nowhere(signed_in: Client, resource: str, position: str) -> None:
    answer = signed_in.get(f"/api/{resource}/", {"cursor": b64encode(position.encode()).decode()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@BOTH
@pytest.mark.parametrize("text", ['["a"]', '{"a": 1}', "true", "1.5", r'"\ud800"'])
def test_a_question_that_is_no_text_is_refused(signed_in: Client, text: str) -> None:
    answer = signed_in.post("/chat/ask/", f'{{"model": "any", "text": {text}}}', JSON, headers={"accept": JSON})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert not Conversation.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("conversation", ["nonsense", NOBODY["uuid"]])
def test_what_was_typed_stays_when_its_conversation_is_not_there(signed_in: Client, conversation: str) -> None:
    form = {"model": "any", "text": "keep this", "conversation": conversation}
    answer = signed_in.post("/chat/ask/", form, headers={"accept": "text/html"})
    assert answer.status_code in (400, 404)
    assert "keep this" in answer.content.decode()


# Every form of a page and every body of the resource API that has a day or an instant of somebody's in it.
DATED_FORMS: dict[str, tuple[dict[str, object], list[str]]] = {
    "/keys/": ({"name": "x"}, ["expires_at"]),
    "/manage/quotas/": ({"limit": 5, "unit": "prompts", "period": "month", "reason": "x"}, ["starts_on"]),
    "/manage/requests/": ({"course": "COMP1117", "amount": 5, "unit": "prompts", "reason": "x"}, ["expires_on"]),
    "/manage/terms/": ({"code": "T1", "name": "x"}, ["starts_on", "ends_on"]),
    "/manage/courses/": ({"code": "X1", "title": "x"}, ["starts_on", "ends_on"]),
    "/manage/notices/new/": ({f"text_{name}": "x" for name in ("en", "zh_hant", "zh_hans")}, ["starts_at", "ends_at"]),
    "/manage/models/new/": ({"name": "m", "operation": "chat"}, ["retires_on"]),
    "/review/COMP1117/assignments/": ({"code": "A1", "title": "x"}, ["opens_at", "due_at"]),
    "/review/COMP1117/exams/": ({"title": "x"}, ["starts_at", "ends_at"]),
}
DATED_BODIES: dict[str, tuple[dict[str, object], list[str]]] = {
    "/api/keys/": ({"name": "x"}, ["expires_at"]),
    "/api/quotas/": ({"limit": 5, "reason": "x"}, ["starts_at"]),
    "/api/grants/": ({"person": "root@example.edu", "amount": 5, "reason": "x"}, ["expires_at"]),
    "/api/terms/": ({"code": "T1", "name": "x"}, ["starts_on", "ends_on"]),
    "/api/courses/": ({"code": "X1", "title": "x"}, ["starts_on", "ends_on"]),
    "/api/models/": ({"name": "m", "label": "M", "operation": "chat", "routes": []}, ["retires_on"]),
}


@BOTH
@pytest.mark.parametrize("days", [("0001-01-01", "0001-01-02"), ("0001-01-01", "9999-12-31"), ("9999-12-31",) * 2])
def test_no_day_that_is_out_of_reach_is_kept_by_any_door(signed_in: Client, root: User, days: tuple[str, str]) -> None:
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2099, 12, 31))
    enroll(course=course, user=root, role=CourseRole.INSTRUCTOR)
    set_quota(limit=20, period=Period.TERM)  # then every page with a meter looks at the terms
    for address, (fields, names) in DATED_FORMS.items():
        answer = signed_in.post(address, fields | _dated(names, days, "" if address == "/keys/" else "T23:59"))
        assert (address, answer.status_code) == (address, 400)
        assert re.search("2000-01-01|2099-12-31|2100-01-01|to come", answer.text), address
    for address, (fields, names) in DATED_BODIES.items():
        answer = signed_in.post(address, fields | _dated(names, days, "T23:59:00Z"), JSON)
        assert (address, answer.status_code) == (address, 400)
        assert answer.json()["error"]["fields"].keys() <= {*names}, address
    for address in ("/", "/usage/", "/courses/", "/manage/courses/", "/manage/terms/", "/review/COMP1117/", "/api/me/"):
        assert (address, signed_in.get(address).status_code) == (address, 200)


def _dated(names: list[str], days: tuple[str, str], hour: str) -> dict[str, str]:
    """The first of the names has the first day, the last one the last; a name of an instant has an hour too."""
    first, last = days
    return {name: (last if name == names[-1] else first) + (hour if name.endswith("_at") else "") for name in names}
