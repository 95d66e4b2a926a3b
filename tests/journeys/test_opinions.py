"""Good, not good, and why: pressed, written, kept, and the same in another tab."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from chat.models import Opinion
from chat.types import Complaint
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answered

pytestmark = pytest.mark.browser


def test_an_answer_is_judged_with_a_reason_and_in_every_tab(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    conversation = answered(student, "Debug my merge sort", "Gladly.")
    page = visit
    sign_in(page, sara.email)
    page.goto(f"/chat/{conversation}/")
    other = page.context.new_page()
    other.goto(f"/chat/{conversation}/")

    bad = page.get_by_role("button", name="Not a good answer", exact=True)
    bad.press("Enter")
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(bad).to_be_focused()
    expect(page.locator("#status")).to_have_text("Noted: not good. You can say why below.")
    page.get_by_label("Not what I asked").check()
    page.get_by_label("In a sentence, if you like").fill("I asked for a heap")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_text("Not good: Not what I asked")).to_be_visible()
    expect(bad).to_be_focused()
    opinion = Opinion.objects.get()
    assert (opinion.is_good, opinion.reason, opinion.note) == (False, Complaint.BESIDE, "I asked for a heap")

    expect(other.get_by_text("Not good: Not what I asked")).to_be_visible()
    other.get_by_role("button", name="Good answer", exact=True).click()
    expect(page.get_by_role("button", name="Good answer", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Not good: Not what I asked")).to_have_count(0)
