"""A browser at pages that have something on them: one person of each role, a course, a chat, some use."""

import base64
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Literal

import pytest
from django.conf import LazySettings, settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.authentication import principal_of
from accounts.models import ApiKey, User
from accounts.services import create_api_key
from accounts.types import Role
from chat.models import Conversation, ImageJob, Message, Picture
from chat.pictures import repaint
from chat.services import create_prompt, open_answer_link, place_hold, share_conversation
from chat.types import Author, Progress, PromptWording, Shelf
from core import clock
from core.types import Operation
from courses.services import (
    accept_rule,
    ask_permission,
    create_assignment,
    create_course,
    create_exam,
    enroll,
    except_from_exam,
    publish_rule,
    save_term,
)
from courses.types import Approach, CourseRole, Readers
from gateway.models import Model, Provider, Route, Upstream
from gateway.types import ProviderKind
from gateway.upstreams.placeholder import draw
from policies.models import ClauseVersion
from policies.services import create_notice
from quotas import services as quotas
from quotas.types import Unit
from tests.chat.conftest import accepted
from tests.usage.test_record_usage import record
from usage.services import record_opening, subscribe
from usage.types import LookReason

Theme = Literal["light", "dark", "forced"]
Visit = Callable[..., Page]

ANSWER = r"""At most **10**. See the table, `low` and the [proof](https://example.edu/).

| Items | Steps |
| ---: | ---: |
| 1,000 | 10 |

```python
def find(items, wanted):
    return sorted(items).index(wanted)
```

$$T(1000) = 1 + T(500) = 2 + T(250) = 3 + T(125) = 4 + T(62) = 5 + T(31) = \lfloor \log_2 1000 \rfloor + 1$$
"""


@pytest.fixture
def campus(sara: User, ines: User, root: User, clauses: None) -> Conversation:
    """Everyone has accepted; Sara takes a course of Ines, has asked one question in it and owns a key."""
    for person in (sara, ines, root):
        accepted(person)
    course = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20), term="Term 1"
    )
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=course, user=sara)
    create_api_key(user_id=sara.pk, name="notebook")
    record(sara, course_id=course.pk, started_at=clock.now(), model="big", prompts=2)
    rule = publish_rule(
        course_id=course.pk,
        by_id=ines.pk,
        approach=Approach.PERMISSION,
        allowed_tools=["chat"],
        note="Ask me first.",
        readers=Readers.INSTRUCTORS,
    )
    accept_rule(user_id=sara.pk, rule_id=rule.pk, language="en")
    talk = Conversation.objects.create(user=sara, title="Binary search", model="big", course=course)
    question = Message.objects.create(conversation=talk, author=Author.PERSON, text="How many steps?")
    Message.objects.create(conversation=talk, parent=question, author=Author.MODEL, text=ANSWER, model="big", prompts=1)
    return talk


@pytest.fixture
def people(sara: User, ines: User, root: User) -> list[User | None]:
    """Who look at the pages; each page is looked at by the first of them to whom it is shown."""
    return [None, sara, ines, root]


@pytest.fixture
def things(campus: Conversation, sara: User, ines: User, root: User, settings: LazySettings) -> dict[str, object]:
    """One of each kind of thing that has a page, by the names that the addresses have for them."""
    settings.PAYMENT_SERVICE = "test"
    course, now = campus.course, clock.now()
    assert course
    answer = campus.messages.get(author=Author.MODEL)
    open_answer_link(user_id=sara.pk, answer_id=answer.pk)
    shared = share_conversation(user_id=sara.pk, conversation_id=campus.pk)
    record_opening(
        viewer_id=ines.pk,
        owner_id=sara.pk,
        course_id=course.pk,
        conversation_id=campus.pk,
        reason=LookReason.HELP,
        note="You asked me to.",
    )
    work = create_assignment(
        course_id=course.pk, code="A1", title="Sorting", opens_at=now, due_at=now + timedelta(days=9)
    )
    exam = create_exam(
        course_id=course.pk,
        title="Quiz",
        starts_at=now + timedelta(days=2),
        ends_at=now + timedelta(days=2, hours=2),
        by_id=ines.pk,
    )
    exception = except_from_exam(
        course_id=course.pk, exam_id=exam.pk, email=sara.email, reason="More time", by_id=ines.pk
    )
    permission = ask_permission(user_id=sara.pk, code=course.code, reason="To check my reading of the sources.")
    request = quotas.ask(
        principal=principal_of(sara), unit=Unit.PROMPTS, amount=5, reason="The contest", course_id=course.pk
    )
    quotas.set_pool(course_id=course.pk, add=50, reason="The faculty's share", by_id=root.pk)
    rule = quotas.set_quota(limit=30, role=Role.INSTRUCTOR, by_id=root.pk, reason="They prepare classes.")
    assert rule
    version = ClauseVersion.objects.filter(published_at__isnull=False).first()
    assert version
    said = PromptWording(title="Explain it another way", command="explain", text="Explain {{passage}} another way.")
    shelves = {"prompt_id": Shelf(owner_id=sara.pk), "course_prompt_id": Shelf(course_id=course.pk)}
    prompts = {name: create_prompt(shelf=shelf, **said).pk for name, shelf in shelves.items()}
    return {
        **picture_things(sara),
        **prompts,
        "common_prompt_id": create_prompt(shelf=Shelf(), **said).pk,
        **model_things(),
        "conversation_id": campus.pk,
        "message_id": answer.pk,
        "answer_id": answer.pk,
        "shared_id": shared.pk,
        "user_id": sara.pk,
        "person_id": sara.pk,
        "key_id": ApiKey.objects.get(user=sara).pk,
        "code": course.code,
        "assignment": work.code,
        "exam_id": exam.pk,
        "exception_id": exception.pk,
        "permission_id": permission.pk,
        "request_id": request.pk,
        "quota_id": rule.pk,
        "offer_id": quotas.set_offer(unit=Unit.PROMPTS, amount=10, price_micro=5_000_000).pk,
        "clause_id": version.clause_id,
        "version_id": version.pk,
        "hold_id": place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk).pk,
        "token": subscribe(
            user_id=root.pk, course_id=None, query="by=model", every="week", told_until=date(2026, 1, 1)
        ).token,
        "notice_id": create_notice(columns={f"text_{lang}": "Exams" for lang in ("en", "zh_hant", "zh_hans")}).pk,
        "term_id": save_term(code="2099", name="To come", starts_on=date(2099, 1, 1), ends_on=date(2099, 6, 1)).pk,
        "form": "json",
        "size": 192,
    }


def model_things() -> dict[str, object]:
    """A model that a provider answers at one place."""
    provider = Provider.objects.create(slug="harbour", name="Harbour", kind=ProviderKind.COMPATIBLE)
    upstream = Upstream.objects.create(provider=provider, name="main", base_url="http://127.0.0.1:9")
    model = Model.objects.create(name="big", label="Big", description="For long texts.", operation=Operation.CHAT)
    Route.objects.create(model=model, upstream=upstream, upstream_name="big")
    return {"provider_id": provider.pk, "upstream_id": upstream.pk, "model_id": model.pk}


def picture_things(person: User) -> dict[str, object]:
    """The person's images: one that is there, one that waits and one that failed."""
    job = ImageJob.objects.create(user=person, prompt="A reef", model="m", progress=Progress.COMPLETE, count=2)
    ImageJob.objects.create(user=person, prompt="A wreck", model="m", progress=Progress.WAITING)
    ImageJob.objects.create(user=person, prompt="A storm", model="m", progress=Progress.FAILED, code="upstream_error")
    canvas = repaint(base64.b64encode(draw("A reef", size="", number=0)).decode(), is_placeholder=True)
    name = default_storage.save(f"{canvas.digest}.png", ContentFile(canvas.data))
    picture = Picture.objects.create(job=job, file=name, digest=canvas.digest, width=1024, height=1024)
    return {"job_id": job.pk, "picture_id": picture.pk}


@pytest.fixture
def visit(site: str, browser: Browser) -> Iterator[Visit]:
    """Opens a browser as somebody (or nobody): `visit(sara, width=390, theme="dark")`."""
    contexts = []

    def enter(person: User | None = None, *, width: int = 1280, theme: Theme = "light", language: str = "en") -> Page:
        context = browser.new_context(
            base_url=site,
            locale=language,
            color_scheme="light" if theme == "forced" else theme,
            forced_colors="active" if theme == "forced" else "none",
            viewport={"width": width, "height": 800},
        )
        if person:
            sign_in(context, person, site)
        contexts.append(context)
        return context.new_page()

    yield enter
    for context in contexts:
        context.close()


def sign_in(context: BrowserContext, person: User, site: str) -> None:
    """The person's session in the browser, without the form."""
    client = Client()
    client.force_login(person)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site}])
