"""Keeping one's chats in order, by keyboard, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from chat.models import Conversation
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_by_keyboard import follow, press, tab_to

pytestmark = pytest.mark.browser


def test_chats_are_ticked_deleted_and_brought_back(visit: Page, sara: User, student: Principal) -> None:
    page = visit
    for title in ("Ferries", "Trams"):
        Conversation.objects.create(user=sara, title=title, model="good")
    sign_in(page, sara.email)
    page.goto("/")
    follow(page, "All chats, folders, archive")
    press(page, "Choose Ferries", "Space")
    press(page, "Choose Trams", "Space")
    follow(page, "Delete delete")
    expect(page.get_by_text("2 chats were deleted.")).to_be_visible()
    follow(page, "Undo")
    expect(page.get_by_role("link", name="Trams")).to_be_visible()
    press(page, "Choose Trams", "Space")
    tab_to(page, "Folder")
    page.keyboard.type("Traffic")
    follow(page, "Move")
    expect(page.get_by_text("1 chat is moved.")).to_be_visible()
    follow(page, "Traffic")
    expect(page.get_by_role("heading", name="Traffic")).to_be_visible()


def test_a_temporary_chat_leaves_nothing_in_the_list(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    page = visit
    add_model("good")
    sign_in(page, sara.email)
    page.goto("/")
    press(page, "History:")
    tab_to(page, "Kept")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[popovertarget=keeping] [data-choice]")).to_have_text("Temporary")
    page.locator("#prompt").focus()
    page.keyboard.type("Nobody need know")
    page.keyboard.press("Enter")
    expect(page.locator("article[data-from=model]:not([aria-busy])")).to_be_visible()
    expect(page.locator("#rule")).to_contain_text("removed 24 hours after it began")
    expect(page.locator("#talks").get_by_text("Nobody need know")).to_have_count(0)
    expect(page.get_by_role("heading", name="Temporary chat")).to_be_visible()


def test_instructions_are_written_and_one_chat_goes_without(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    page = visit
    add_model("good")
    sign_in(page, sara.email)
    page.goto("/")
    follow(page, "My instructions")
    tab_to(page, "Instructions")
    page.keyboard.type("Short answers, please.")
    follow(page, " Keep $")
    expect(page.get_by_text("They go with your next question.")).to_be_visible()
    page.goto("/")
    press(page, "without my instructions", "Space")
    page.locator("#prompt").focus()
    page.keyboard.type("Why do people count with tallies?")
    page.keyboard.press("Enter")
    expect(page.locator("article[data-from=model]:not([aria-busy])")).to_be_visible()
    assert Conversation.objects.get().is_plain
    press(page, "More: rename")
    follow(page, "Use my instructions here")
    assert not Conversation.objects.get().is_plain
