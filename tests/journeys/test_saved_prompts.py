"""Saved prompts by keyboard alone, in a real browser: written, found by / and a word, filled in, sent by nobody."""

from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from chat.models import Message, SavedPrompt
from chat.services import create_prompt
from chat.types import Shelf
from courses.services import create_course, enroll
from tests.chat.conftest import AddModel
from tests.journeys.conftest import sign_in
from tests.journeys.test_by_keyboard import follow, press, tab_to
from tests.pages.test_accessibility import RULES

pytestmark = pytest.mark.browser


@pytest.fixture
def shelves(sara: User) -> None:
    """What a course and the university offer Sara; one of them is not what it seems."""
    course = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 9, 1), ends_on=date(2036, 12, 20), term="Term 1"
    )
    enroll(course=course, user=sara)
    trace = "Trace {{code}} for {{an input}}.\nAgain: {{ code }}. <b>Slowly.</b>"
    create_prompt(shelf=Shelf(course_id=course.pk), title="<i>Trace</i>", command="trace", text=trace)
    create_prompt(shelf=Shelf(), title="Explain", command="explain", text="Explain it.", is_starter=True)


def test_prompts_are_written_found_filled_in_and_never_sent_by_themselves(
    visit: Page, sara: User, student: Principal, add_model: AddModel, shelves: None
) -> None:
    page = visit
    add_model("good")
    sign_in(page, sara.email)
    page.goto("/chat/prompts/")
    tab_to(page, "Title")
    page.keyboard.type("Sum up")
    tab_to(page, "Command")
    page.keyboard.type("sum")
    tab_to(page, "Text")
    page.keyboard.type("In three sentences.")
    follow(page, "Keep $")
    expect(page.get_by_text("The prompt is kept.")).to_be_visible()
    assert SavedPrompt.objects.get(owner=sara).command == "sum"

    page.goto("/")
    box, listed, options = page.locator("#prompt"), page.get_by_role("listbox"), page.get_by_role("option")
    box.focus()
    page.keyboard.type("/")
    expect(listed).to_be_visible()
    expect(options).to_have_text(
        ["Sum up /sum In three sentences.", "Explain /explain Explain it."], use_inner_text=True
    )
    expect(page.locator("#status")).to_contain_text("Saved prompts: 2")
    assert not Axe().run(page, options=RULES).response["violations"]
    page.keyboard.press("ArrowDown")
    active = page.get_by_role("option", selected=True)
    expect(active).to_contain_text("Explain")
    expect(box).to_have_attribute("aria-activedescendant", active.get_attribute("id") or "")
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(box).to_have_value("/")
    page.keyboard.type("e")
    expect(listed).to_be_hidden()  # it was put away
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.type("/su")
    expect(options.filter(visible=True)).to_have_count(1)
    page.keyboard.press("Tab")
    expect(box).to_have_value("In three sentences.")
    expect(box).to_be_focused()

    page.keyboard.press("Control+A")
    page.keyboard.type("/etc/hosts")
    expect(listed).to_be_hidden()  # a path is no command
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    press(page, "Course:")
    tab_to(page, "No course")
    page.keyboard.press("ArrowDown")
    box.focus()
    press(page, "^Saved prompts", "Space")
    expect(listed.get_by_role("group", name="COMP1117")).to_be_visible()
    page.keyboard.type("tr")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Fill in the prompt")
    expect(dialog.get_by_label("code")).to_be_focused()
    assert not Axe().run(page, options=RULES).response["violations"]
    page.keyboard.type("f(<u>)")
    tab_to(page, "an input")
    page.keyboard.type("3 {{code}}")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(box).to_have_value("Trace f(<u>) for 3 {{code}}.\nAgain: f(<u>). <b>Slowly.</b>")
    expect(box).to_be_focused()

    page.reload()
    expect(box).to_have_value("Trace f(<u>) for 3 {{code}}.\nAgain: f(<u>). <b>Slowly.</b>")  # the draft is kept
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.locator("#main").focus()
    press(page, "Explain Explain it.|Explain it.")
    expect(box).to_have_value("Explain it.")
    assert not Message.objects.exists(), "nothing is sent by itself"


def test_an_input_method_opens_and_chooses_nothing(visit: Page, sara: User, student: Principal, shelves: None) -> None:
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    box, listed = page.locator("#prompt"), page.get_by_role("listbox")
    box.focus()
    typing = page.context.new_cdp_session(page)
    typing.send("Input.imeSetComposition", {"text": "/", "selectionStart": 1, "selectionEnd": 1})
    expect(box).to_have_value("/")
    expect(listed).to_be_hidden()
    typing.send("Input.insertText", {"text": "/"})
    expect(listed).to_be_visible()
    typing.send("Input.imeSetComposition", {"text": "ex", "selectionStart": 2, "selectionEnd": 2})
    page.keyboard.press("Enter")
    expect(box).not_to_have_value("Explain it.")
