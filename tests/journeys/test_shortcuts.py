"""The keys of the chat page: each does what the list of them says."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from chat.models import Conversation, Message
from chat.types import Author
from tests.journeys.conftest import sign_in

pytestmark = pytest.mark.browser

ANSWER = "Two ways.\n\n```python\nfirst()\n```\n\n```python\nsecond()\n```\n"


@pytest.fixture
def page(visit: Page, sara: User, student: Principal) -> Page:
    """Sara at a chat with one answer."""
    chat = Conversation.objects.create(user=sara, title="Two ways", model="good")
    asked = Message.objects.create(conversation=chat, author=Author.PERSON, text="How many ways?")
    Message.objects.create(conversation=chat, parent=asked, author=Author.MODEL, text=ANSWER, model="good")
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(visit, sara.email)
    visit.goto(f"/chat/{chat.pk}/")
    expect(visit.locator("figure.code")).to_have_count(2)
    return visit


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_answers_and_code_are_copied(page: Page) -> None:
    page.keyboard.press("Control+Shift+C")
    expect(page.get_by_text("Copied")).to_be_visible()
    assert clipboard(page) == ANSWER
    page.keyboard.press("Control+Shift+Semicolon")
    expect(page.get_by_text("Copied")).to_have_count(2)
    assert clipboard(page).strip() == "second()"


def test_the_box_the_search_and_the_sidebar(page: Page) -> None:
    page.keyboard.press("Control+K")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Shift+Escape")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#side")).to_be_hidden()
    page.keyboard.press("Control+K")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#side")).to_be_visible()
    page.keyboard.press("Control+Shift+O")
    expect(page).to_have_url(re.compile(r":\d+/$"))


def test_on_a_phone_the_sidebar_is_the_drawer(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#side:popover-open")).to_be_visible()
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#side:popover-open")).to_have_count(0)


def test_the_list_of_keys_opens_and_gives_the_focus_back(page: Page) -> None:
    page.locator("#prompt").focus()
    page.keyboard.press("Control+/")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(page.locator("#prompt")).to_be_focused()


def test_the_arrow_brings_the_last_question_back_into_an_empty_box_only(page: Page) -> None:
    page.locator("#prompt").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#prompt")).to_have_value("How many ways?")
    page.keyboard.press("Control+A")
    page.keyboard.type("Mine")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#prompt")).to_have_value("Mine")
