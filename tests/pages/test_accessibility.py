"""Every page can be used by everyone: by keyboard, by a screen reader, in the dark, on a small phone (WCAG 2.2 AA)."""

import os
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from chat.models import Conversation
from gateway.services import create_provider
from tests.pages.conftest import Theme, Visit
from tests.pages.places import Places, list_closed, list_places, list_unknown_parameters
from tests.usage.test_record_usage import record
from usage.types import Outcome

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

# A label belongs to the first of two fields with one id, and the other has none.
TWICE = """() => {
  const names = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return names.filter((name, place) => names.indexOf(name) !== place);
}"""

# CI looks at every page in two ways; EVERY_LOOK=1 in every way there is (`make looks`, about half an hour).
LOOKS: list[tuple[str, int, str]] = (
    [
        (theme, width, language)
        for theme in ("light", "dark", "forced")
        for width in (1280, 390, 320)
        for language in ("en", "zh-HK", "zh-CN")
    ]
    if "EVERY_LOOK" in os.environ
    else [("light", 1280, "en"), ("dark", 320, "zh-HK")]
)


# What none of the cast is shown, though each of its things is there: what this installation or this person has not
# switched on, a draft's page for what is published, and a page that needs a question in its address.
CLOSED = [
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/download/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/confirm-email/",
    "/accounts/email/",
    "/images/jobs/{job_id}/preview/",
    "/logo",
    "/manage/clauses/versions/{version_id}/",
    "/manage/quotas/simulation/",
]
# Of a mail that was sent or a purchase that was begun, whose pages are forms; and of a file, which is no page.
ELSEWHERE = {"key", "uidb36", "reference", "attachment_id"}


@pytest.fixture
def places(people: list[User | None], things: dict[str, object]) -> Places:
    """Who opens which pages: all there are."""
    found = list_places(people, things)
    found[0][1].append("/nothing/here/")
    return found


@pytest.mark.django_db(transaction=True)
def test_every_page_is_looked_at(people: list[User | None], things: dict[str, object]) -> None:
    """A new kind of page fails here until the cast has one of its things."""
    assert list_unknown_parameters(things) == ELSEWHERE
    assert list_closed(people, things) == {address.format(**things) for address in CLOSED}


def faults(page: Page, path: str) -> list[str]:
    """What is wrong on one page: a status, a rule of axe that fails, or words wider than the window."""
    response = page.goto(path)
    assert response
    found = [] if response.status in (200, 404) else [f"status {response.status}"]
    return [f"{path} {fault}" for fault in found + look(page)]


def look(page: Page) -> list[str]:
    """What is wrong with what stands there."""
    found = []
    for violation in Axe().run(page, options=RULES).response["violations"]:
        where = ", ".join(" ".join(node["target"]) for node in violation["nodes"][:3])
        found.append(f"{violation['id']}: {where}")
    if is_too_wide(page):
        found.append("scrolls sideways")
    return found + [f"two things are called #{name}" for name in page.evaluate(TWICE)]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.mark.parametrize(("theme", "width", "language"), LOOKS)
def test_no_page_shuts_anyone_out(visit: Visit, places: Places, theme: Theme, width: int, language: str) -> None:
    found: list[str] = []
    for person, paths in places:
        page = visit(person, width=width, theme=theme, language=language)
        for path in paths:
            found += faults(page, path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("theme", "width", "language"), LOOKS)
@pytest.mark.usefixtures("campus")
def test_a_compared_bill_shuts_nobody_out(visit: Visit, root: User, theme: Theme, width: int, language: str) -> None:
    create_provider(columns={"name": "East", "slug": "east", "kind": "openai"}, address={"name": "east"}, secret="")
    record(root, provider="east", model="house", outcome=Outcome.LOST, started_at=datetime(2026, 11, 30, tzinfo=UTC))
    lines = "day,model,requests,input_tokens,output_tokens\n2026-11-30,house,1,7,8\n2026-11-30,o3,1200,7,8\n"
    page = visit(root, width=width, theme=theme, language=language)
    page.goto("/manage/usage/bill/")
    page.locator("select[name=provider]").select_option("east")
    page.locator("input[name=file]").set_input_files(
        {"name": "b.csv", "mimeType": "text/csv", "buffer": lines.encode()}
    )
    page.locator("main form button[type=submit]").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert look(page) == []


def test_the_first_tab_leads_past_the_menu(visit: Visit, campus: Conversation, sara: User) -> None:
    page = visit(sara)
    page.goto("/usage/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_drawer_of_a_phone_closes_by_escape_and_gives_the_focus_back(
    visit: Visit, campus: Conversation, sara: User
) -> None:
    page = visit(sara, width=390)
    page.goto("/usage/")
    menu, drawer = page.get_by_role("button", name="Menu"), page.locator("#side")
    expect(drawer).to_be_hidden()
    menu.press("Enter")
    expect(drawer).to_be_visible()
    expect(drawer.get_by_role("link", name="My keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(menu).to_be_focused()


def test_a_chosen_appearance_is_painted_at_once(visit: Visit, sara: User, campus: Conversation) -> None:
    page = visit(sara, theme="light")
    page.goto("/account/")
    bright = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != bright
