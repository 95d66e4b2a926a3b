"""Several tabs of one browser, and a session that has ended."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from tests.chat.conftest import AddModel
from tests.conftest import PASSWORD
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answered, ask, box

pytestmark = pytest.mark.browser


def test_titles_what_is_left_and_signing_out_are_the_same_in_every_tab(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    conversation = answered(student, "Debug my merge sort", "Gladly.")
    page = visit
    sign_in(page, sara.email)
    page.goto(f"/chat/{conversation}/")
    other = page.context.new_page()
    other.goto(f"/chat/{conversation}/")

    page.get_by_role("button", name="More").click()
    page.get_by_label("Title").fill("Merge sort")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(other.locator("#heading h1")).to_have_text("Merge sort")
    expect(other).to_have_title(re.compile("^Merge sort"))
    expect(other.locator("#talks").get_by_role("link", name="Merge sort")).to_be_visible()

    page.goto("/")
    ask(page, "Another question, please")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    expect(other.locator(".cost")).to_contain_text("of your 18 left")
    expect(other.locator("#quota-meter")).to_contain_text("18 of 20")
    expect(other.locator("#talks").get_by_role("link", name="Another question, please")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(other).to_have_url(re.compile("/accounts/login/"))


def test_whoever_is_signed_out_meanwhile_signs_in_beside_the_page_and_the_question_is_sent(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    page.context.clear_cookies(name="sessionid")

    ask(page, "What is Hello in full?")
    dialog = page.get_by_role("dialog", name="You are signed out")
    expect(dialog).to_contain_text("what you wrote is still here")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("You are signed out")
    expect(box(page)).to_have_value("What is Hello in full?")

    box(page).press("Enter")
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in again").press("Enter")
    beside = opened.value
    beside.locator("[name=login]").fill(sara.email)
    beside.locator("[name=password]").fill(PASSWORD)
    beside.locator("[name=password]").press("Enter")

    expect(beside.get_by_role("heading", name="Signed in again")).to_be_visible()
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    expect(dialog).to_be_hidden()
    expect(box(page)).to_have_value("")
