"""Seven people before every door, and things of Sara's behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import connections, transaction
from django.test import Client

from accounts.models import User
from accounts.services import create_api_key
from accounts.types import Role
from chat.models import Attachment, Conversation
from chat.services import create_prompt, place_hold
from chat.types import FileKind, PromptWording, Shelf
from core import threads
from core.limiter import forget_attempts
from courses.services import create_course, enroll, save_term
from courses.types import CourseRole
from gateway.models import Model, Provider, Upstream
from gateway.services import sync_catalog
from policies.models import Clause
from policies.selectors import list_current
from policies.services import acknowledge, create_notice, create_version
from quotas.models import Purchase, Quota, Request
from quotas.services import grant, install_default_quota, set_offer, set_pool
from quotas.types import Unit
from tests.conftest import PASSWORD
from tests.usage.test_record_usage import record
from usage.models import UsageRecord
from usage.services import subscribe

COURSE = "COMP1117"
# In the order of the table's columns.
PEOPLE = ("anonymous", "student", "other student", "instructor", "other instructor", "staff", "administrator")


@dataclass(frozen=True, slots=True)
class World:
    """A small university.

    Args:
        client: one for all: a new one loads the middleware anew.
        sessions: the session of each of `PEOPLE`; none of the anonymous one.
        things: by the name of a route's parameter, or by `resource/parameter` under /api/, whose value leads to
            something of Sara's, or of her course.
    """

    client: Client
    sessions: dict[str, str]
    things: dict[str, Any]

    def ask(self, who: str, method: str, address: str) -> int:
        """The status of one empty request, which leaves nothing behind."""
        with self.undone(who) as client:
            response = client.generic(method, address, b"", "application/x-www-form-urlencoded")
        return int(response.status_code)

    @contextmanager
    def undone(self, who: str) -> Iterator[Client]:
        """The client as one of `PEOPLE`; what is done inside leaves nothing behind."""
        cache.clear()
        forget_attempts()
        self.client.cookies.clear()
        if who in self.sessions:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who]
        with transaction.atomic():
            yield self.client
            transaction.set_rollback(True)


@pytest.fixture
def world(sara: User, omar: User, ines: User, root: User, cast: None) -> World:
    """Sara is in a course that Ines teaches; Omar, Ivan, Sam and Ruth have nothing to do with it."""
    ivan = User.objects.create_user("ivan@example.edu", PASSWORD, name="Ivan Tse", role=Role.INSTRUCTOR)
    sam = User.objects.create_user("sam@example.edu", PASSWORD, name="Sam Yu", role=Role.STAFF)
    course = create_course(code=COURSE, title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enrollment = enroll(course=course, user=sara)
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    key, _secret = create_api_key(user_id=sara.pk, name="laptop")
    version = list_current().get()
    people = dict(zip(PEOPLE[1:], (sara, omar, ines, ivan, sam, root), strict=True))
    for person in people.values():
        acknowledge(user_id=person.pk, version_id=version.pk, language="en")
    wordings = {f"{part}_{lang}": "x" for part in ("title", "body") for lang in ("en", "zh_hant", "zh_hans")}
    draft = create_version(clause_id=version.clause_id, wordings=wordings)
    given = grant(user_id=sara.pk, amount=1, reason="A question", by_id=root.pk)
    record(sara)
    request = Request.objects.create(user=sara, course=course, amount=30, reason="A report")
    conversation = Conversation.objects.create(user=sara)
    set_pool(course_id=course.pk, by_id=root.pk)
    offer = set_offer(unit=Unit.PROMPTS, amount=50, price_micro=1, is_enabled=False)
    purchase = Purchase.objects.create(user=sara, amount=50, unit=Unit.PROMPTS, price_micro=1, currency="HKD")
    attachment = Attachment.objects.create(user=sara, kind=FileKind.TEXT, name="a.txt", size=1, characters=1, text="a")
    term = save_term(code="2099", name="A term to come", starts_on=date(2099, 1, 1), ends_on=date(2099, 6, 1))
    said = PromptWording(title="Explain", command="explain", text="Explain this.")
    things = {
        "user_id": sara.pk,
        "key_id": key.pk,
        "code": COURSE,
        "clause_id": version.clause_id,
        "version_id": draft.pk,
        "quota_id": Quota.objects.get().pk,
        "request_id": request.pk,
        "requests/pk": request.pk,
        "attachment_id": attachment.pk,
        "conversation_id": conversation.pk,
        "prompt_id": create_prompt(shelf=Shelf(owner_id=sara.pk), **said).pk,
        "course_prompt_id": create_prompt(shelf=Shelf(course_id=course.pk), **said).pk,
        "common_prompt_id": create_prompt(shelf=Shelf(), **said).pk,
        "people/pk": sara.pk,
        "keys/pk": key.pk,
        "courses/code": COURSE,
        "enrollments/pk": enrollment.pk,
        "clauses/clause": Clause.objects.get().slug,
        "quotas/pk": Quota.objects.get().pk,
        "grants/pk": given.pk,
        "model_id": Model.objects.earliest("pk").pk,
        "provider_id": Provider.objects.earliest("pk").pk,
        "upstream_id": Upstream.objects.get(provider=Provider.objects.earliest("pk")).pk,
        "term_id": term.pk,
        "terms/code": term.code,
        "hold_id": place_hold(case="41", reason="x", by_id=root.pk, user_id=sara.pk).pk,
        "token": subscribe(user_id=root.pk, course_id=None, query="", every="week", told_until=date(2026, 1, 1)).token,
        "notice_id": create_notice(columns={f"text_{lang}": "x" for lang in ("en", "zh_hant", "zh_hans")}).pk,
        "models/pk": Model.objects.earliest("pk").pk,
        "providers/pk": Provider.objects.earliest("pk").pk,
        "pools/code": COURSE,
        "offers/pk": offer.pk,
        "purchases/reference": purchase.reference,
        "audit/pk": 1,
        "usage/pk": UsageRecord.objects.get().pk,
    }
    sessions = {}
    for who, person in people.items():
        client = Client()
        client.force_login(person)
        sessions[who] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return World(Client(raise_request_exception=False), sessions, things)


@pytest.fixture
def cast(clauses: None, in_one_thread: None) -> None:
    """What must be there before anybody asks."""
    install_default_quota()
    sync_catalog()


@pytest.fixture
def in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of work stay in the test's own thread, and so in its transaction, which is undone."""

    async def run(_pool: object, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await sync_to_async(function, thread_sensitive=True)(*args, **kwargs)

    monkeypatch.setattr(threads, "_run", run)
    monkeypatch.setattr(connections, "close_all", lambda: None)
