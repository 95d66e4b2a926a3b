"""The pages for who sees no motion, who reads at twice the size, and who takes paper."""

from datetime import date

import pytest
from django.conf import settings
from playwright.sync_api import expect

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Role
from chat.models import Conversation, Message, Opinion
from chat.types import Author
from courses.models import Course
from gateway.models import Model
from quotas.models import Request
from quotas.services import grant_request, refuse_request
from quotas.types import Unit
from tests.pages.conftest import Visit

pytestmark = pytest.mark.browser

MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
  const style = getComputedStyle(element);
  const lasts = (times) => times.split(",").some((time) => parseFloat(time) > 0);
  return (style.animationName !== "none" && lasts(style.animationDuration)) || lasts(style.transitionDuration);
}).map((element) => element.outerHTML.slice(0, 80))"""
# Words that end where their box ends: neither scrolled to nor shortened by a sign that says so.
CUT = """() => [...document.querySelectorAll("main *")].filter((element) => {
  const style = getComputedStyle(element);
  const isMeantToBe = style.textOverflow === "ellipsis" || element.closest(".visually-hidden") || style.clip !== "auto";
  return style.overflowX === "hidden" && !isMeantToBe && element.scrollWidth > element.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 80))"""
PAGES = ["/", "/images/", "/usage/", "/courses/COMP1117/", "/chat/search/?q=steps", "/account/"]


def test_nothing_moves_for_who_asked_for_no_motion(visit: Visit, things: dict[str, object], sara: User) -> None:
    page = visit(sara)
    page.goto("/images/")
    assert page.evaluate(MOVING) != [], "a page where something moves otherwise"
    page.emulate_media(reduced_motion="reduce")
    for path in (*PAGES, f"/chat/{things['conversation_id']}/"):
        page.goto(path)
        assert page.evaluate(MOVING) == [], path


@pytest.mark.parametrize("language", ["en", "zh-HK"])
def test_at_twice_the_size_nothing_is_cut_or_scrolls_sideways(
    visit: Visit, things: dict[str, object], people: list[User], language: str
) -> None:
    taught = ["/review/COMP1117/", "/review/COMP1117/rule/", "/review/COMP1117/exams/", "/review/requests/"]
    managed = ["/manage/", "/manage/quotas/", "/manage/people/"]
    _nobody, sara, ines, root = people
    for person, paths in ((sara, [*PAGES, f"/chat/{things['conversation_id']}/"]), (ines, taught), (root, managed)):
        page = visit(person, width=640, language=language)  # a window of 1280 at 200 %
        for path in paths:
            response = page.goto(path)
            assert response
            assert response.status == 200, path
            assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), path
            assert page.evaluate(CUT) == [], path


@pytest.mark.parametrize("language", ["en", "zh-HK"])
def test_the_widest_lists_fit_a_window_of_1280(
    visit: Visit, campus: Conversation, sara: User, root: User, language: str
) -> None:
    by, course = principal_of(root), Course.objects.get()
    User.objects.filter(pk=sara.pk).update(name="司徒逸朗 Szeto Yat Long", email="siuming.chan@cs.example.edu")
    reason = "I read a dissertation chapter by chapter: sixty pages of dense prose with tables. " * 2
    for decide, decision in (
        (grant_request, {"amount": 60_000, "answer": "Half of it now. " * 5}),
        (refuse_request, {"answer": "先用課堂的練習；真的不夠再來找我，我們可以一起看看。"}),
        (None, {}),
    ):
        asked = Request.objects.create(user=sara, course=course, amount=120_000, unit=Unit.TOKENS, reason=reason)
        if decide:
            decide(principal=by, request_id=asked.pk, **decision)
    for number, people in enumerate([settings.SMALLEST_GROUP, 1]):
        for _ in range(people):
            said = Message.objects.create(conversation=campus, author=Author.MODEL, text="10", model="m")
            person = User.objects.create(email=f"{said.pk}@example.edu", name="A reader")
            Opinion.objects.create(answer=said, user=person, model=f"harbour-large-{number}", is_good=False)
        Model.objects.create(
            name=f"harbour-large-2026-{number}",
            label="Harbour Large, the careful one",
            audience=[Role.STUDENT, Role.INSTRUCTOR],
            fallback=Model.objects.first(),
            retires_on=date(2027, 8, 31),
            input_price=2_500_000,
            output_price=15_000_000,
        )
    page = visit(root, language=language)
    for path in ("/manage/requests/?counts=tokens", "/manage/models/opinions/", "/manage/models/"):
        page.goto(path)
        expect(page.locator("tbody tr").first).to_be_visible()
        assert page.locator(".table").evaluate("(frame) => frame.scrollWidth <= frame.clientWidth"), path


def test_paper_shows_the_words_and_nothing_to_press(visit: Visit, campus: Conversation, sara: User) -> None:
    page = visit(sara)
    page.emulate_media(media="print")
    for path in (f"/chat/{campus.pk}/", "/usage/"):
        page.goto(path)
        expect(page.locator("main")).to_be_visible()
        expect(page.get_by_role("navigation").locator("visible=true")).to_have_count(0)
        expect(page.get_by_role("button").locator("visible=true")).to_have_count(0)
    page.goto(f"/chat/{campus.pk}/")
    expect(page.get_by_text("How many steps?").first).to_be_visible()
    expect(page.locator("article[data-from=model] table")).to_be_visible()
    expect(page.locator("#composer")).to_be_hidden()
    expect(page.get_by_role("heading", name="Binary search")).to_be_visible()
    expect(page.locator("article time .on-paper").first).to_be_visible()
    assert page.locator(".code pre").evaluate("(code) => code.scrollWidth <= code.clientWidth"), "code is cut on paper"


def test_a_dark_page_is_printed_on_light_paper(visit: Visit, campus: Conversation, sara: User) -> None:
    page = visit(sara, theme="dark")
    page.goto(f"/chat/{campus.pk}/")
    lightness = "getComputedStyle(document.body).color.match(/[\\d.]+/)[0] * 1"
    assert page.evaluate(lightness) > 0.5
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(lightness) < 0.5


@pytest.mark.parametrize("language", ["en", "zh-HK"])
def test_on_a_phone_what_belongs_together_stands_on_one_line(
    visit: Visit, things: dict[str, object], sara: User, language: str
) -> None:
    page = visit(sara, width=390, language=language)
    page.goto(f"/chat/{things['conversation_id']}/")
    for row in ("#composer > .row", "article[data-from=model] .tools"):
        shown = page.locator(row).locator(":is(a, button):visible:not([popover] *)")
        middles = shown.evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => Math.round(box.y + box.height / 2))"
        )
        assert len(middles) >= 4, row
        assert max(middles) - min(middles) <= 2, row


def test_a_reader_of_the_screen_hears_the_beginning_and_the_end_alone(
    visit: Visit, campus: Conversation, sara: User
) -> None:
    """The words grow outside of what is read aloud by itself; one line says that they come, and that they are there."""
    page = visit(sara)
    page.goto(f"/chat/{campus.pk}/")
    aloud = page.locator("[aria-live], [role=status], [role=alert], [role=log]")
    expect(page.locator("#status")).to_have_attribute("role", "status")
    expect(aloud.locator("article")).to_have_count(0)
    expect(page.locator(".transcript")).not_to_have_attribute("aria-live", "polite")


def test_who_reads_further_up_is_left_there_and_shown_the_way_back(
    visit: Visit, campus: Conversation, sara: User
) -> None:
    last = campus.messages.latest("id")
    Message.objects.create(
        conversation=campus, parent=last, author=Author.PERSON, text="\n".join(f"line {n}" for n in range(200))
    )
    page = visit(sara)
    page.goto(f"/chat/{campus.pk}/")
    latest = page.get_by_role("button", name="Latest")
    transcript = page.locator(".transcript")
    expect(latest).to_be_hidden()
    transcript.evaluate("transcript => transcript.scrollTo({ top: -1500 })")
    expect(latest).to_be_visible()
    latest.click()
    expect(latest).to_be_hidden()


def test_a_long_chat_opens_at_its_end_and_is_whole_a_moment_later(
    visit: Visit, campus: Conversation, sara: User
) -> None:
    first = last = campus.messages.latest("id")
    for n in range(60):
        last = Message.objects.create(
            conversation=campus, parent=last, author=Author.MODEL if n % 2 else Author.PERSON, text=f"**line** {n}"
        )
    campus.head = last
    campus.save(update_fields=["head"])
    page = visit(sara)
    page.goto(f"/chat/{campus.pk}/#m-{first.pk}")
    expect(page.get_by_role("link", name="Show the whole chat")).to_have_count(0)
    expect(page.locator(f"#m-{first.pk}")).to_be_in_viewport()
    expect(page.locator("article")).to_have_count(campus.messages.count())
    expect(page.locator("article[data-from=model] strong", has_text="line")).to_have_count(30)
