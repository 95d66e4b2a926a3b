"""A browser at pages that have something on them: one person of each role, a course, a chat, some use."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Literal

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.models import User
from accounts.services import create_api_key
from chat.models import Conversation, Message
from chat.types import Author
from core import clock
from courses.services import create_course, enroll
from courses.types import CourseRole
from tests.chat.conftest import accepted
from tests.usage.test_record_usage import record

Theme = Literal["light", "dark", "forced"]
Visit = Callable[..., Page]

ANSWER = """At most **10**. See the table, `low` and the [proof](https://example.edu/).

| Items | Steps |
| ---: | ---: |
| 1,000 | 10 |

```python
def find(items, wanted):
    return sorted(items).index(wanted)
```
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
    talk = Conversation.objects.create(user=sara, title="Binary search", model="big", course=course)
    Message.objects.create(conversation=talk, author=Author.PERSON, text="How many steps?")
    Message.objects.create(conversation=talk, author=Author.MODEL, text=ANSWER, model="big", prompts=1)
    return talk


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
