"""A person at a browser, before a real server. Pages are the product's own, built by scripts/setup."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.chat.conftest import (
    _alone,
    add_model,
    catalog,
    other_student,
    student,
    web,
)
from tests.chat.server import RunningServer
from tests.conftest import PASSWORD

__all__ = ["_alone", "add_model", "catalog", "other_student", "student", "web"]


@pytest.fixture
def visit(browser: Browser, web: RunningServer) -> Iterator[Page]:
    """A fresh browser at the front page. Fails if a script failed or a page asked for anything foreign."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=web.address, locale="en")
    context.set_default_timeout(10_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if is_foreign(request.url, web.address) else None)
    yield page
    context.close()
    assert problems == []


def is_foreign(address: str, server: str) -> bool:
    """Whether a request left the product."""
    return not re.match(rf"{re.escape(server)}/|data:|blob:|about:", address)


def sign_in(page: Page, email: str) -> None:
    """By the form, as a person does."""
    page.goto("/")
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("form:has([name=password]) button[type=submit]").click()
    page.wait_for_url(lambda address: "/accounts/login" not in address)
