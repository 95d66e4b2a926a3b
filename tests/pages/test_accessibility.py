"""Every page can be used by everyone: by keyboard, by a screen reader, in the dark, on a small phone (WCAG 2.2 AA)."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from chat.models import Conversation
from tests.pages.conftest import Visit

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Places = list[tuple[User | None, list[str]]]

OUTSIDE = "/accounts/login/ /accounts/password/reset/ /nothing/here/"
STUDENT = (
    "/ /chat/{talk}/ /images/ /usage/ /usage/models/ /usage/who-looked/ /keys/ /clauses/ /account/"
    " /accounts/sessions/ /accounts/password/change/ /accounts/2fa/"
)
INSTRUCTOR = "/review/ /review/COMP1117/"
ADMINISTRATOR = (
    "/manage/ /manage/people/ /manage/people/{person}/ /manage/quotas/ /manage/usage/ /manage/usage/calls/"
    " /manage/clauses/ /manage/courses/ /manage/courses/COMP1117/"
)


@pytest.fixture
def places(campus: Conversation, sara: User, ines: User, root: User) -> Places:
    """Who opens which pages."""
    whole = ((None, OUTSIDE), (sara, STUDENT), (ines, INSTRUCTOR), (root, ADMINISTRATOR))
    return [(person, paths.format(talk=campus.pk, person=sara.pk).split()) for person, paths in whole]


def faults(page: Page, path: str) -> list[str]:
    """What is wrong on one page: a status, a rule of axe that fails, or words wider than the window."""
    response = page.goto(path)
    assert response
    found = [] if response.status in (200, 404) else [f"status {response.status}"]
    for violation in Axe().run(page, options=RULES).response["violations"]:
        where = ", ".join(" ".join(node["target"]) for node in violation["nodes"][:3])
        found.append(f"{violation['id']}: {where}")
    if is_too_wide(page):
        found.append("scrolls sideways")
    return [f"{path} {fault}" for fault in found]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_shuts_anyone_out(visit: Visit, places: Places, theme: str, width: int) -> None:
    found: list[str] = []
    for person, paths in places:
        page = visit(person, width=width, theme=theme)
        for path in paths:
            found += faults(page, path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", ["en", "zh-HK"])
def test_nothing_scrolls_sideways_on_the_smallest_phone(visit: Visit, places: Places, language: str) -> None:
    wide = []
    for person, paths in places:
        page = visit(person, width=320, language=language)
        for path in paths:
            page.goto(path)
            wide += [path] if is_too_wide(page) else []
    assert not wide, "\n".join(wide)


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
