"""What a press costs and leaves, how little is left, and what passes by itself."""

import re

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from chat.models import Message
from quotas.services import set_quota
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answered, ask, box

pytestmark = pytest.mark.browser

TOO_FAST = '{"error": {"code": "rate_limit_exceeded", "message": "Too many requests at once."}}'


def test_the_price_what_is_left_after_it_and_how_little_that_is_stand_where_one_writes(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    add_model("heavy", weight=3)
    set_quota(limit=5, user_id=sara.pk)
    for number in range(3):
        answered(student, f"Question {number}", "Gladly.")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    expect(page.locator(".cost")).to_have_text("uses 1 of your 2 left, then 1", use_inner_text=True)
    expect(page.locator("#quota-warning")).to_be_hidden()
    page.get_by_role("button", name="AI model").click()
    page.get_by_label("Fake heavy").check()
    expect(page.locator(".cost")).to_have_text("uses 3 of your 2 left: not enough", use_inner_text=True)
    page.get_by_role("button", name="AI model").click()
    page.get_by_label("Fake good").check()

    ask(page, "Question 4")
    expect(page.locator("#quota-warning")).to_contain_text("1 of 5 prompts left. New ones come on")
    ask(page, "Question 5")
    expect(page.locator("#quota-warning")).to_contain_text("All 5 prompts are used. What you write is kept here.")

    box(page).fill("What I would have asked")
    page.locator("#quota-warning").get_by_role("link", name="Ask for more").click()
    expect(page.get_by_role("heading", name="Ask for more", exact=True)).to_be_visible()
    page.go_back()
    expect(box(page)).to_have_value("What I would have asked")


def test_a_refusal_that_passes_by_itself_counts_down_and_tries_again_unless_one_says_no(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    page.clock.install()
    page.route(
        "**/chat/ask/",
        lambda route: route.fulfill(
            status=429, content_type="application/json", headers={"Retry-After": "30"}, body=TOO_FAST
        ),
        times=2,
    )
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "What is Hello in full?")
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"Trying again in (30|29) seconds"))
    page.get_by_role("button", name="Do not try again").press("Enter")
    expect(page.get_by_role("timer")).to_be_hidden()

    box(page).press("Enter")
    expect(page.get_by_role("timer")).to_be_visible()
    assert not Message.objects.exists()
    page.clock.fast_forward(31_000)

    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    expect(box(page)).to_have_value("")


def test_a_busy_provider_is_asked_again_when_it_said_so_and_nothing_was_charged(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("error-429")
    page = visit
    page.clock.install()
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "Are you busy?")
    failed = page.locator("article .notice")
    expect(failed).to_contain_text("too busy right now")
    expect(failed).to_contain_text("Nothing was charged.")
    expect(failed).to_contain_text("Reference ")
    expect(failed.get_by_role("timer")).to_contain_text("Trying again in")
    assert Message.objects.get(author="model").retry_after == 7

    page.clock.fast_forward(8_000)
    expect(page.get_by_text("2/2")).to_be_visible()
    expect(page.locator("article .notice").get_by_role("timer")).to_be_visible()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("3/3")).to_be_visible()
    page.get_by_role("button", name="Do not try again").click()
    expect(page.get_by_role("timer")).to_be_hidden()
