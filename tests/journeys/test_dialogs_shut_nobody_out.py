"""What opens over the chat page, or above its box, looked at by axe; pages themselves are looked at as they open."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.models import User
from accounts.services import update_taste
from accounts.types import Principal, TasteChanges
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_chat_journeys import answered
from tests.pages.test_accessibility import RULES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "look", [TasteChanges(theme="light", language="en"), TasteChanges(theme="dark", language="zh-hant")]
)
def test_advice_a_link_that_leads_out_and_a_lost_session_shut_nobody_out(
    visit: Page, sara: User, student: Principal, add_model: AddModel, look: TasteChanges
) -> None:
    add_model("good")
    conversation = answered(student, "Where do I sign in?", "At [the portal](https://portal.example.org/).")
    update_taste(user_id=sara.pk, **look)
    page = visit
    sign_in(page, sara.email)
    found = []

    page.goto(f"/chat/{conversation}/")
    page.locator(".prose a").press("Enter")
    page.locator("#leaving[open]").wait_for()
    found += faults(page)

    page.keyboard.press("Escape")
    page.locator("#prompt").fill("Is A123456(3) a valid number for chan.tm@connect.hku.hk?")
    page.locator("#prompt").press("Enter")
    page.locator("#notices [role=alert]").wait_for()
    found += faults(page)

    page.context.clear_cookies(name="sessionid")
    page.locator("#prompt").press("Enter")
    page.locator("#session[open]").wait_for()
    found += faults(page)
    assert not found


def faults(page: Page) -> list[str]:
    return [violation["id"] for violation in Axe().run(page, options=RULES).response["violations"]]
