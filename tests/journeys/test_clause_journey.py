"""A wording changes while people are at work, in two real browsers."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from policies.selectors import list_acknowledgments
from quotas.models import Reservation
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in

pytestmark = pytest.mark.browser


def answers(page: Page, count: int) -> None:
    """So many answers are there, and none is still being written."""
    expect(page.locator("article[data-from=model]:not([aria-busy])")).to_have_count(count)


def publish_new_version(page: Page) -> None:
    page.goto("/manage/clauses/")
    page.get_by_role("link", name="Draft a new version").first.click()
    page.get_by_role("button", name="Save the draft and preview it").click()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_text("Version 2 is in force.")).to_be_visible()


def test_a_new_version_is_asked_before_the_next_prompt(
    visit: Page, sara: User, root: User, student: Principal, add_model: AddModel
) -> None:
    """Publish at the desk; the student, whose page is open, accepts and goes on with the words typed before."""
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    box = page.get_by_label("Your prompt", exact=True)
    box.fill("Asked under the first wording")
    box.press("Enter")
    answers(page, 1)

    assert page.context.browser
    with page.context.browser.new_context(base_url=page.url) as elsewhere:
        desk = elsewhere.new_page()
        sign_in(desk, root.email)
        publish_new_version(desk)

    box.fill("Asked under the second wording")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Please accept the clauses first")
    page.get_by_role("link", name="Read the clauses").click()
    expect(page.get_by_role("heading", name="Please read the new wording")).to_be_visible()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Accept and go on").click()
    expect(box).to_have_value("Asked under the second wording")
    box.press("Enter")
    answers(page, 2)
    assert [given.version.number for given in list_acknowledgments(sara.pk)] == [2, 1]
    assert Reservation.objects.count() == 2, "the refused attempt cost nothing"
