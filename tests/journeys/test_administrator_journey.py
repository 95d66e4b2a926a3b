"""An administrator changes what a student may use; it holds on the student's next prompt. Two real browsers."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from quotas.models import Reservation
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in

pytestmark = pytest.mark.browser


def ask(page: Page, text: str) -> None:
    box = page.get_by_label("Your prompt", exact=True)
    box.fill(text)
    box.press("Enter")


def answers(page: Page, count: int) -> None:
    """So many answers are there, and none is still being written."""
    expect(page.locator("article[data-from=model]:not([aria-busy])")).to_have_count(count)


def set_quota_of(desk: Page, person: User, limit: int) -> None:
    """As an administrator does: find the person, go to the quota, see whom it reaches, put it in force."""
    desk.goto("/manage/")
    desk.get_by_role("link", name="People", exact=True).click()
    desk.get_by_label("Name or e-mail").fill(person.name)
    desk.get_by_role("button", name="Show").click()
    desk.get_by_role("link", name=person.name).click()
    desk.get_by_role("link", name="Quota", exact=True).click()
    expect(desk.get_by_role("textbox", name="One person")).to_have_value(person.email)
    desk.get_by_label("Amount").fill(str(limit))
    desk.get_by_role("textbox", name="Reason").first.fill("Tried in a journey")
    desk.get_by_role("button", name="Show whom it reaches").click()
    desk.get_by_role("button", name="Put in force now").click()
    expect(desk.get_by_text("is in force from the next call on")).to_be_visible()


def test_a_changed_quota_holds_on_the_next_prompt(
    visit: Page, sara: User, root: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    ask(page, "Asked under the rule of everyone")
    answers(page, 1)

    assert page.context.browser
    with page.context.browser.new_context(base_url=page.url, locale="en") as elsewhere:
        desk = elsewhere.new_page()
        sign_in(desk, root.email)
        set_quota_of(desk, sara, 1)
        ask(page, "Refused: one of one is used")
        expect(page.get_by_role("alert")).to_contain_text("Your prompts are used up")
        expect(page.get_by_label("Your prompt", exact=True)).to_have_value("Refused: one of one is used")
        assert Reservation.objects.count() == 1, "the refused attempt cost nothing"

        set_quota_of(desk, sara, 2)
        ask(page, "Asked under the higher limit")
        answers(page, 2)
    expect(page.locator("#quota-meter")).to_contain_text("0 of 2")
