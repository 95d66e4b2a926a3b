"""Every page can be used by everyone: by keyboard, by a screen reader, in the dark, on a small phone (WCAG 2.2 AA)."""

import base64
import os
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Page, expect

from accounts.models import ApiKey, User
from chat.models import Conversation, ImageJob, Picture
from chat.pictures import repaint
from chat.services import open_answer_link
from chat.types import Author, Progress
from courses.services import save_term
from gateway.models import Model
from gateway.services import sync_catalog
from gateway.upstreams.placeholder import draw
from policies.selectors import list_current
from policies.services import create_notice
from tests.pages.conftest import Theme, Visit
from tests.pages.places import Places, list_places

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

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


@pytest.fixture
def places(campus: Conversation, sara: User, ines: User, root: User) -> Places:
    """Who opens which pages: all there are."""
    answer = campus.messages.get(author=Author.MODEL)
    open_answer_link(user_id=sara.pk, answer_id=answer.pk)
    job = ImageJob.objects.create(user=sara, prompt="A reef", model="m", progress=Progress.COMPLETE, count=2)
    ImageJob.objects.create(user=sara, prompt="A wreck", model="m", progress=Progress.WAITING)
    ImageJob.objects.create(user=sara, prompt="A storm", model="m", progress=Progress.FAILED, code="upstream_error")
    canvas = repaint(base64.b64encode(draw("A reef", size="", number=0)).decode(), is_placeholder=True)
    name = default_storage.save(f"{canvas.digest}.png", ContentFile(canvas.data))
    picture = Picture.objects.create(job=job, file=name, digest=canvas.digest, width=1024, height=1024)
    sync_catalog()
    local = Model.objects.filter(routes__isnull=False).earliest("pk")
    upstream = local.routes.get().upstream
    things = {
        "term_id": save_term(code="2099", name="To come", starts_on=date(2099, 1, 1), ends_on=date(2099, 6, 1)).pk,
        "notice_id": create_notice(columns={f"text_{lang}": "Exams" for lang in ("en", "zh_hant", "zh_hans")}).pk,
        "clause_id": list_current().get().clause_id,
        "version_id": list_current().get().pk,
        "model_id": local.pk,
        "provider_id": upstream.provider_id,
        "upstream_id": upstream.pk,
        "conversation_id": campus.pk,
        "answer_id": answer.pk,
        "picture_id": picture.pk,
        "job_id": job.pk,
        "user_id": sara.pk,
        "person_id": sara.pk,
        "code": "COMP1117",
        "key_id": ApiKey.objects.get(user=sara).pk,
    }
    found = list_places([None, sara, ines, root], things)
    assert sum(len(paths) for _person, paths in found) > 30
    found[0][1].append("/nothing/here/")
    return found


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


@pytest.mark.parametrize(("theme", "width", "language"), LOOKS)
def test_no_page_shuts_anyone_out(visit: Visit, places: Places, theme: Theme, width: int, language: str) -> None:
    found: list[str] = []
    for person, paths in places:
        page = visit(person, width=width, theme=theme, language=language)
        for path in paths:
            found += faults(page, path)
    assert not found, "\n".join(found)


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
