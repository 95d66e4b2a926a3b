"""The whole product by keyboard alone: nothing here moves or presses a pointer, or calls into the page."""

import re
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from chat import drawing
from chat.models import ImageJob, Message
from chat.types import Progress
from courses.services import create_course, enroll
from courses.types import CourseRole
from policies.models import ClauseVersion
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer
from tests.conftest import PASSWORD

pytestmark = pytest.mark.browser

# What has the focus, as a person would call it: its role's word and its name.
FOCUSED = """() => {
  const at = document.activeElement;
  const label = at.labels?.[0]?.textContent ?? "";
  const text = at.matches("a, button, summary") ? at.textContent : "";
  const words = [at.getAttribute("aria-label"), label, text, at.value, at.name, at.href];
  return words.join(" ").replace(/\\s+/g, " ");
}"""
# Whether it can be seen there: by a line or a shadow around it, or around the box it is written in.
SHOWN = """() => [document.activeElement, document.activeElement.closest(".composer")].some((element) => {
  const { outlineStyle, boxShadow } = element ? getComputedStyle(element) : {};
  return element && (outlineStyle !== "none" || boxShadow !== "none");
})"""
MOST_STEPS = 120


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until what is called `name` has the focus and shows it."""
    seen = []
    for _step in range(MOST_STEPS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        seen.append(page.evaluate(FOCUSED)[:60])
        if re.search(name, page.evaluate(FOCUSED)):
            assert page.evaluate(SHOWN), f"the focus on {name} cannot be seen"
            return
    pytest.fail(f"{name} is not reached by Tab; seen: {seen}")


def press(page: Page, name: str, key: str = "Enter") -> None:
    tab_to(page, name)
    page.keyboard.press(key)


def follow(page: Page, name: str) -> None:
    """Press what leads to another page, and wait for that."""
    tab_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sign_in(page: Page, email: str) -> None:
    page.goto("/")
    tab_to(page, " login $")
    page.keyboard.type(email)
    tab_to(page, " password $")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/accounts/login" not in address)


@pytest.fixture
def models(catalog: None, add_model: AddModel) -> None:
    """The placeholder for images, and a chat model that takes its time."""
    add_model("slow")


@pytest.fixture
def course(sara: User, ines: User, clauses: None) -> None:
    made = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2027, 12, 20), term="Term 1"
    )
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)


def test_a_student_needs_no_pointer(visit: Page, sara: User, course: None, models: None, web: RunningServer) -> None:
    """Sign in, accept, ask, stop, rename, make an image and look at it, see one's use, make a key, sign out."""
    page = visit
    sign_in(page, sara.email)
    page.goto("/clauses/")
    for _ in range(ClauseVersion.objects.count()):
        press(page, "I have read|accept", "Space")
        follow(page, "Accept and go on")

    page.goto("/")
    tab_to(page, "Your prompt")
    page.keyboard.type("Count to a hundred")
    page.keyboard.press("Enter")
    expect(page.locator("article[data-from=model] .prose")).to_contain_text("3 4")
    page.keyboard.press("Escape")
    expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
    assert Message.objects.filter(progress=Progress.STOPPED).count() == 1

    follow(page, "^Cite|Cite http")
    expect(page.get_by_role("heading", name="Cite this answer")).to_be_visible()
    follow(page, "Open it")
    follow(page, r"^\s*http.*/answers/")
    expect(page.get_by_role("heading", name="A cited answer")).to_be_visible()

    page.goto("/images/")
    tab_to(page, "Describe the image")
    page.keyboard.type("A coral reef")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 prompt held")).to_be_visible()
    web.run(drawing.draw(ImageJob.objects.get().pk))
    expect(page.get_by_role("img", name="A coral reef")).to_be_visible()
    press(page, r"/about/\s*$")
    lightbox = page.get_by_role("dialog")
    expect(lightbox).to_be_visible()
    tab_to(page, "Description for who cannot see it")
    page.keyboard.press("Control+A")
    page.keyboard.type("Six fish")
    press(page, "Save")
    expect(lightbox.get_by_role("img", name="Six fish")).to_be_visible()
    page.keyboard.press("Escape")
    expect(lightbox).to_be_hidden()

    page.goto("/usage/models/")
    tab_to(page, "Most:|prompts|Prompts")
    follow(page, "Show")
    expect(page.get_by_role("table").first).to_be_visible()

    page.goto("/keys/")
    tab_to(page, "[Nn]ame")
    page.keyboard.type("notebook")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("cak_")).first).to_be_attached()

    follow(page, "Sign out")
    expect(page).to_have_url(re.compile("/accounts/"))


def test_a_teacher_and_an_administrator_need_no_pointer(visit: Page, ines: User, root: User, course: None) -> None:
    page = visit
    sign_in(page, ines.email)
    page.goto("/")
    follow(page, "Teaching")
    follow(page, "COMP1117")
    expect(page.get_by_role("heading", name="COMP1117")).to_be_visible()
    follow(page, "Show")
    follow(page, "Sign out")
    page.context.clear_cookies()

    sign_in(page, root.email)
    page.goto("/")
    follow(page, "Manage")
    for place in ("people", "quotas", "usage", "clauses"):
        follow(page, f"/manage/{place}/$")
        expect(page.locator(".side .talks a[aria-current=page]")).to_have_attribute("href", f"/manage/{place}/")
