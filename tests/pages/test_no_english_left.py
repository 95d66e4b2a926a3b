"""Who reads Chinese is told nothing in English: by no page, attribute, script, refusal or mail.

The catalogs are known to be complete (tests/config/test_translations.py); here is what never came by a catalog.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from uuid import UUID

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.core import mail
from django.template import Template
from django.test import Client, signals

from accounts.authentication import principal_of
from accounts.models import User
from core import clock
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas import services as quotas
from quotas.types import Unit
from review.reporting import send_reports
from tests.chat.conftest import accepted
from tests.pages.places import list_addresses
from tests.quotas.conftest import Travel, travel, use
from tests.usage.test_record_usage import record
from usage.services import find_alarms, send_alarms, set_budget, subscribe, wish_mail
from usage.types import Every

__all__ = ["travel"]

_SENTENCE = re.compile(r"[A-Za-z][a-z'’]+(?: [A-Za-z]?[a-z'’]+){2,}")
_SILENT = {"script", "style", "code", "pre", "kbd", "svg", "textarea"}
_HEARD = re.compile(r"aria-(label|valuetext|description|roledescription)|title|placeholder|alt|data-[\w-]+|content")
_FOR_SCRIPTS = re.compile(r"[a-z-]+")  # a state or the name of a place, in an attribute that no one reads
# What people of the cast wrote, a notice of theirs, and what the log keeps as it was said.
OF_THE_CAST = re.compile(
    r"How many steps|At most \*\*10|For long texts|Exams|30 prompts per month|The faculty's share|They prepare classes"
    r"|To check my reading|Explain it another way|Ask me first|You asked me to|^Harbour University Campus AI$"
)


class Words(HTMLParser):
    """Everything on a page that is for people, with where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"input", "meta", "link", "br", "img", "hr", "rect", "use", "path"}:
            self._within.append("silent" if ("translate", "no") in attrs else tag)
            if tag == "script" and ("type", "application/json") in attrs:
                self._within[-1] = "json"
        for name, value in attrs:
            if value and _HEARD.fullmatch(name):
                self.found.append((f"{tag} {name}", value))

    def handle_endtag(self, tag: str) -> None:
        if self._within:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._within and self._within[-1] == "json":
            self.found += [("json", text) for text in texts_of(json.loads(data))]
        elif data.strip() and not _SILENT & {*self._within} and "silent" not in self._within:
            self.found.append((self._within[-1] if self._within else "", " ".join(data.split())))


def texts_of(data: object) -> Iterator[str]:
    """Every text in what a page tells its scripts."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from texts_of(item)
    elif isinstance(data, str):
        yield data


@pytest.fixture(scope="module")
def english() -> set[str]:
    """What the catalog says otherwise in Chinese."""
    with (settings.BASE_DIR / "locale/zh_Hant/LC_MESSAGES/django.po").open("rb") as file:
        return {str(m.id) for m in read_po(file) if isinstance(m.id, str) and m.id and m.string != m.id}


def test_the_check_finds_what_it_should() -> None:
    words = Words()
    words.feed(
        '<p title="Look here now">早 <b>Good</b><code>x</code></p><script type="application/json">["a b"]</script>'
    )
    assert words.found == [("p title", "Look here now"), ("p", "早"), ("b", "Good"), ("json", "a b")]


def is_english(place: str, text: str, english: set[str]) -> bool:
    if OF_THE_CAST.search(text) or (" data-" in place and _FOR_SCRIPTS.fullmatch(text)):
        return False
    return text in english or bool(_SENTENCE.search(text))


@pytest.mark.django_db(transaction=True)
def test_no_page_speaks_english_to_who_reads_chinese(
    people: list[User | None], things: dict[str, object], english: set[str]
) -> None:
    left: set[tuple[str, str, str]] = set()
    addresses = list_addresses(things)
    for person in people:
        client = Client(headers={"accept": "text/html", "accept-language": "zh-HK"})
        if person:
            client.force_login(person)
        for address in addresses:
            response = client.get(address)
            if response.status_code == 200 and response.headers.get("content-type", "").startswith("text/html"):
                words = Words()
                words.feed(response.content.decode())
                left |= {(address, *found) for found in words.found if is_english(*found, english)}
            response.close()
    assert left == set()


@pytest.fixture
def cast(sara: User, ines: User, root: User) -> tuple[User, User, User]:
    return sara, ines, root


@pytest.mark.parametrize("language", ["en", "zh-hant", "zh-hans"])
def test_every_mail_is_in_the_language_of_who_gets_it(
    language: str, cast: tuple[User, User, User], travel: Travel, english: set[str]
) -> None:
    sara, ines, root = cast
    travel(datetime(2026, 11, 22, 4, tzinfo=UTC))
    User.objects.update(language=language, name="")
    User.objects.filter(pk=sara.pk).update(name="陳")
    today = clock.local_day(clock.now())
    course = create_course(code="COMP1117", title="程式設計", starts_on=today, ends_on=today + timedelta(days=9))
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=course, user=sara)
    quotas.set_approver_limit(unit=Unit.PROMPTS, at_once=40, a_month=400)
    rendered: set[str] = set()
    with listening(rendered):
        use(sara, prompts=20)
        quotas.find_warnings()
        quotas.send_warnings()
        for is_granted in (True, False):
            asked = quotas.ask(
                principal=principal_of(sara), unit=Unit.PROMPTS, amount=5, reason="期中", course_id=course.pk
            )
            quotas.send_requests()
            teacher = principal_of(ines)
            if is_granted:
                quotas.grant_request(principal=teacher, request_id=asked.pk, amount=5, answer="好")
            else:
                quotas.refuse_request(principal=teacher, request_id=asked.pk, answer="不")
            quotas.send_requests()
        set_budget(amount_micro=1_000_000)
        record(sara, started_at=clock.now(), cost_micro=1_000_000)
        wish_mail(user_id=root.pk, is_wanted=True)
        find_alarms()
        assert send_alarms()
        for of_course, reader in ((None, root), (course.pk, ines)):
            long_ago = date(2026, 1, 1)
            subscribe(user_id=reader.pk, course_id=of_course, query="", every=Every.WEEK, told_until=long_ago)
        assert send_reports() == 2
        Client().post("/accounts/password/reset/", {"email": sara.email}, headers={"accept-language": language})
    all_mails = {
        str(path.relative_to(settings.BASE_DIR / "templates"))
        for path in (settings.BASE_DIR / "templates").rglob("*mail/*_subject.txt")
    }
    assert all_mails <= rendered
    lines = [line for sent in mail.outbox for line in (str(sent.subject), *str(sent.body).splitlines())]
    if language == "en":
        assert "2026 年" not in "".join(lines)
    else:
        assert [line for line in lines if is_english("mail", line.strip(), english)] == []
        assert "2026 年 12 月 1 日" in "".join(lines)


@contextmanager
def listening(names: set[str]) -> Iterator[None]:
    """Every template that is rendered, by its name."""

    def hear(template: Template, **_signal: object) -> None:
        names.add(str(template.name))

    signals.template_rendered.connect(hear)
    yield
    signals.template_rendered.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_a_script_shows_is_in_the_language_of_the_page(sara: User, clauses: None) -> None:
    client = Client(headers={"accept": "application/json", "accept-language": "zh-HK"})
    refused = []

    def post(path: str, **body: object) -> None:
        response = client.post(path, body, content_type="application/json")
        error = response.json()["error"]
        refused.append(error["code"])
        assert not _SENTENCE.search(error["message"]), (path, error)

    post("/chat/ask/", text="早", model="m")
    client.force_login(sara)
    post("/chat/ask/", text="早", model="m")
    accepted(sara)
    post("/chat/ask/", text="早", model="nothing-of-this-name")
    post("/chat/ask/", text="")
    post("/chat/ask/", text="早", model="m", course="NONE1")
    post("/images/make/", prompt="")
    post(f"/chat/answers/{UUID(int=0)}/stop/")
    assert len(set(refused)) >= 4, refused
