"""Links that lead out of here, and answers that end while nobody looks."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answered, ask

pytestmark = pytest.mark.browser


def test_a_link_of_a_model_is_followed_only_after_the_host_was_named(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    words = "[hku.hk](https://xn--hk-hka.evil.example/login?a=1) or [here](/images/)"
    conversation = answered(student, "Where do I sign in?", words)
    page = visit
    sign_in(page, sara.email)
    page.goto(f"/chat/{conversation}/")
    link = page.get_by_role("link", name="hku.hk")
    dialog = page.get_by_role("dialog")

    link.press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text("This link leads to xn--hk-hka.evil.example")
    expect(dialog).to_contain_text("https://xn--hk-hka.evil.example/login?a=1")
    go = dialog.get_by_role("link", name="Open it in a new tab")
    expect(go).to_have_attribute("href", "https://xn--hk-hka.evil.example/login?a=1")
    expect(go).to_have_attribute("rel", re.compile("noopener noreferrer"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()

    link.click(button="middle")
    dialog.get_by_role("button", name="Stay here").click()
    expect(dialog).to_be_hidden()
    assert len(page.context.pages) == 1


def test_an_answer_that_ends_unseen_marks_the_title_and_tells_who_allowed_it(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("unhurried")
    page = visit
    page.add_init_script("""
      window.told = [];
      window.Notification = class { static permission = "granted"; constructor(title, { body }) { told.push(body); } };
    """)
    sign_in(page, sara.email)
    page.goto("/")
    look = "(away) => { Object.defineProperty(document, 'hidden', { value: away, configurable: true });"
    look += " document.dispatchEvent(new Event('visibilitychange')); }"

    ask(page, "What is Hello in full?")
    page.evaluate(look, True)

    expect(page).to_have_title(re.compile("^● What is Hello in full"))
    assert page.evaluate("told") == ["The answer is ready."]
    page.evaluate(look, False)
    expect(page).to_have_title(re.compile("^What is Hello in full"))
