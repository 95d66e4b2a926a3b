"""The free look at a question before one of few prompts is spent."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.services import update_taste
from accounts.types import Principal
from chat.models import Message
from tests.chat.conftest import AddModel
from tests.fakes.upstream import ANSWER
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answer, ask, box

pytestmark = pytest.mark.browser


def test_an_identity_card_number_is_held_back_until_it_is_taken_out_or_sent_by_a_second_enter(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    advice = page.get_by_role("alert")

    ask(page, "Is A123456(3) a valid number?")
    expect(advice).to_contain_text("A Hong Kong identity card number: A123456(3)")
    expect(advice.get_by_role("listitem")).to_have_count(1)
    assert not Message.objects.exists()
    box(page).fill("Is A123456(X) a valid number?")
    expect(advice).to_have_count(0)

    ask(page, "Is A123456(3) a valid number?")
    expect(advice).to_be_visible()
    box(page).press("Enter")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    ask(page, "And A123456(3), doubled?")
    expect(page.get_by_role("button", name="Answer again")).to_have_count(2)
    assert Message.objects.filter(author="person").count() == 2


def test_advice_is_followed_by_keyboard_and_switched_off_for_good(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "Hello")
    expect(page.get_by_role("alert")).to_contain_text("A greeting costs a prompt, too")
    page.get_by_role("button", name="Change it").press("Enter")
    expect(box(page)).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)

    ask(page, "Hello")
    page.get_by_role("button", name="Never look again").press("Enter")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    page.goto("/")
    ask(page, "Hello")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()

    page.goto("/account/")
    page.get_by_label("Look at my questions before they are sent").check()
    page.get_by_role("button", name="Keep").click()
    page.goto("/")
    ask(page, "Hello")
    expect(page.get_by_role("alert")).to_be_visible()


def test_an_answer_is_shown_only_when_it_is_complete_where_the_person_wants_that(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("unhurried")
    update_taste(user_id=sara.pk, waits_for_all=True)
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    page.evaluate("""() => {
      window.seen = new Set();
      const look = () => window.seen.add(document.querySelector("article[data-from=model] .prose")?.textContent);
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    }""")

    ask(page, "What is Hello in full?")

    expect(answer(page)).to_have_text(ANSWER)
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    seen = page.evaluate("() => [...window.seen].filter(Boolean).map((text) => text.trim())")
    assert set(seen) <= {"Thinking", "Answering. Press Escape to stop.", ANSWER}
    assert ANSWER in seen
