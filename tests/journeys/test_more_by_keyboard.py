"""What comes after the first day, by keyboard alone: versions, search, sharing, asking for more; a course; a quota."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from core import clock
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas.models import Quota, Request
from quotas.services import set_approver_limit
from quotas.types import Unit
from tests.chat.conftest import AddModel
from tests.journeys.test_by_keyboard import follow, press, sign_in, tab_to
from tests.journeys.test_chat_journeys import answered

pytestmark = pytest.mark.browser


@pytest.fixture
def course(sara: User, ines: User) -> None:
    """Ines teaches it, Sara takes it."""
    today = clock.local_day(clock.now())
    made = create_course(code="COMP1117", title="Programming", starts_on=today, ends_on=today + timedelta(days=60))
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    set_approver_limit(unit=Unit.PROMPTS, at_once=40, a_month=400)


def write(page: Page, name: str, words: str) -> None:
    tab_to(page, name)
    page.keyboard.type(words)


def test_versions_search_sharing_and_asking_for_more_need_no_pointer(
    visit: Page, sara: User, student: Principal, add_model: AddModel, course: None
) -> None:
    page = visit
    add_model("good")
    chat = f"/chat/{answered(student, 'Why tallies?', 'They are counted.')}/"
    sign_in(page, sara.email)
    page.goto(chat)
    press(page, "^ ?Edit")
    write(page, "Your prompt in other words", "Now: ")
    press(page, "Send as a branch")
    expect(page.get_by_text("2/2")).to_be_visible()
    follow(page, "^Earlier branch")
    expect(page.locator("article[data-from=model]")).to_contain_text("They are counted.")
    press(page, "Answer again")
    expect(page.locator("article[data-from=model]").get_by_text("2/2")).to_be_visible()

    write(page, "Search my chats", "tallies")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    follow(page, "Why tallies")
    expect(page).to_have_url(chat)

    press(page, "^More: rename")
    tab_to(page, "Markdown")
    with page.expect_download():
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert "More: rename" in page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("Enter")
    follow(page, "Share inside the university")
    follow(page, "^ ?Stop sharing")
    expect(page.get_by_role("heading", name="You share no chat")).to_be_visible()

    page.goto("/usage/requests/")
    write(page, "Amount", "5")
    write(page, "What for", "Many small questions")
    follow(page, "Send the request")
    assert Request.objects.get().amount == 5
    page.goto("/account/")
    follow(page, "^ ?Dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_course_and_a_quota_need_no_pointer(visit: Page, sara: User, ines: User, root: User, course: None) -> None:
    page = visit
    sign_in(page, ines.email)
    page.goto("/review/COMP1117/rule/")
    tab_to(page, "with acknowledgment")
    page.keyboard.press("ArrowDown")
    write(page, "What students read", "As you like.")
    follow(page, "^ ?Publish")
    expect(page.locator(".paper")).to_contain_text("free")
    page.context.clear_cookies()

    sign_in(page, root.email)
    page.goto("/manage/quotas/")
    tab_to(page, "^ ?Role")
    page.keyboard.type("Stu")
    write(page, "Amount", "40")
    write(page, "^ ?Reason", "A longer term")
    follow(page, "Show whom it reaches")
    follow(page, "Put in force now")
    assert Quota.objects.get(role="student").limit == 40
    page.goto("/manage/people/")
    write(page, "Name or e-mail", "Sara")
    follow(page, "^ ?Show")
    follow(page, "Sara Chan")
    expect(page.get_by_role("heading", name="Sara Chan")).to_be_visible()
