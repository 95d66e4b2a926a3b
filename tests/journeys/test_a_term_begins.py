"""A term begins: a quota is scheduled, a course gets its rule, a student asks for more. One walk, three browsers."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from core import clock
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas.services import set_approver_limit
from quotas.types import Unit
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer
from tests.journeys.conftest import is_foreign, sign_in
from tests.journeys.test_chat_journeys import answer, ask, box
from tests.usage.test_record_usage import record

pytestmark = pytest.mark.browser

Enter = Callable[[User], Page]


@pytest.fixture
def course(ines: User, sara: User, student: Principal) -> Course:
    """Ines teaches it and Sara, who has accepted the clauses, takes it; it has no AI rule yet."""
    today = clock.local_day(clock.now())
    made = create_course(
        code="COMP1117",
        title="Computer Programming I",
        starts_on=today - timedelta(days=5),
        ends_on=today + timedelta(days=90),
        term="Term 1",
    )
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    return made


@pytest.fixture
def term(course: Course, sara: User, omar: User, add_model: AddModel, settings: LazySettings) -> None:
    """What the walk begins with: two models, a limit of what teachers may give, and last month's use."""
    settings.CURRENCY = "USD"
    set_approver_limit(unit=Unit.PROMPTS, at_once=40, a_month=400)
    add_model("silent")
    add_model("slow")
    last_month = clock.start_of(clock.local_day(clock.now()).replace(day=1)) - timedelta(days=3)
    record(sara, started_at=last_month, cost_micro=200_000)
    for _call in range(3):
        record(omar, started_at=last_month, cost_micro=700_000)


@pytest.fixture
def enter(visit: Page, web: RunningServer) -> Iterator[Enter]:
    """Signs somebody in, in a browser of their own."""
    assert visit.context.browser
    asked: list[str] = []
    with ExitStack() as closing:

        def open_browser(person: User) -> Page:
            assert visit.context.browser
            context = visit.context.browser.new_context(
                base_url=web.address, locale="en", viewport={"width": 1280, "height": 900}
            )
            closing.callback(context.close)
            context.set_default_timeout(10_000)
            context.on("request", lambda sent: asked.append(sent.url))
            page = context.new_page()
            sign_in(page, person.email)
            return page

        yield open_browser
    assert [url for url in asked if is_foreign(url, web.address)] == []


def picture(page: Page, name: str) -> None:
    """The page as it looks now, into the folder that PICTURES names, for who wants to look at the walk."""
    if "PICTURES" in os.environ:
        page.screenshot(path=Path(os.environ["PICTURES"]) / f"{name}.png", full_page=True)


def next_first_of_september() -> date:
    today = clock.local_day(clock.now())
    first = date(today.year, 9, 1)
    return first if first > today else date(today.year + 1, 9, 1)


def schedule_a_dollar_for_students(desk: Page, first: date) -> None:
    """As an administrator: write the rule, see whom it reaches and what last month would have been, schedule it."""
    desk.get_by_role("link", name="Manage").click()
    desk.get_by_role("link", name="Quotas", exact=True).click()
    rule = desk.get_by_role("form", name="Quota rule")
    rule.get_by_label("Role").select_option("Student")
    rule.get_by_label("Amount").fill("1")
    rule.get_by_label("Unit").select_option(Unit.MONEY.value)
    rule.get_by_label("Period").select_option("month")
    rule.get_by_label("From").fill(first.isoformat())
    rule.get_by_label("Reason").fill("As the senate decided: a dollar of tokens a month.")
    picture(desk, "admin-1-rule-written")
    rule.get_by_role("button", name="Show whom it reaches").click()
    effect = desk.get_by_role("complementary", name="What this rule would do")
    expect(effect).to_contain_text("2 people")
    expect(effect.get_by_role("heading", name="under this rule")).to_be_visible()
    expect(effect.get_by_role("row", name="People stopped by a quota")).to_have_text(re.compile(r"0\s+1\s*$"))
    expect(effect.get_by_role("row", name="Omar Lee")).to_be_visible()
    picture(desk, "admin-2-what-it-would-do")
    desk.get_by_role("button", name=f"Schedule for {first.day} September {first.year}").click()
    expect(desk.get_by_text(f"holds from {first.day} September {first.year}.")).to_be_visible()
    rule_to_come = desk.get_by_role("region", name="Rules in force and to come").get_by_role("row", name="Student")
    expect(rule_to_come).to_contain_text("$1.00 per month")
    expect(rule_to_come).to_contain_text("to come")
    picture(desk, "admin-3-scheduled")


def allow_with_acknowledgment(teacher: Page) -> None:
    """As a teacher: publish the rule of the course."""
    teacher.get_by_role("link", name="Teaching").click()
    teacher.get_by_role("link", name="COMP1117").click()
    teacher.get_by_role("link", name="AI rule").click()
    picture(teacher, "teacher-1-no-rule-yet")
    teacher.get_by_label("with acknowledgment").check()
    teacher.get_by_label("What students read").fill("Say which prompts you used, and what you changed.")
    teacher.get_by_label("How to acknowledge and cite").fill("Cite each answer you took words from.")
    teacher.get_by_label("Who may open the chats of the course").select_option("instructors")
    teacher.get_by_role("button", name="Publish").click()
    expect(teacher.get_by_text("The rule is published and holds from now on.")).to_be_visible()
    picture(teacher, "teacher-2-rule-in-force")


def ask_for_more(page: Page) -> None:
    page.get_by_role("link", name="My use").click()
    page.get_by_role("link", name="Ask for more").first.click()
    page.get_by_label("Amount").fill("50")
    page.get_by_label("Course").select_option("COMP1117")
    page.get_by_label("What for").fill("The project of week 9 needs many small questions.")
    picture(page, "student-1-asks-for-more")
    page.get_by_role("button", name="Send the request").click()
    expect(page.get_by_text("You will be told by mail what is decided.")).to_be_visible()


def grant_a_part(teacher: Page) -> None:
    teacher.get_by_role("link", name="Requests").first.click()
    asked = teacher.get_by_role("article").filter(has=teacher.get_by_role("heading", name="Sara Chan: 50 prompts"))
    expect(asked).to_contain_text("many small questions")
    asked.get_by_label("Give").fill("30")
    asked.get_by_label("Your sentence to them").fill("Thirty should do; come to me if not.")
    picture(teacher, "teacher-3-decides")
    asked.get_by_role("button", name="Grant").click()
    expect(teacher.get_by_text("Nobody is waiting for you.")).to_be_visible()
    picture(teacher, "teacher-4-granted")


def choose_model(page: Page, label: str) -> None:
    page.get_by_role("button", name="AI model").click()
    page.get_by_label(label).check()


def expect_line(statement: Page, words: str) -> None:
    statement.goto("/usage/")
    expect(statement.get_by_role("region", name="Statement for").get_by_role("row", name=words)).to_be_visible()


def accept_and_ask(page: Page) -> None:
    """As a student: see the rule beside the input, accept it, ask; the statement shows the hold, then the price."""
    page.goto("/")
    page.get_by_role("button", name="Course:").click()
    page.get_by_role("radio", name="COMP1117").check()
    page.keyboard.press("Escape")
    expect(page.locator("#course-note")).to_contain_text("with acknowledgment")
    picture(page, "student-2-rule-beside-the-input")
    ask(page, "Count to a hundred, please")
    expect(page.get_by_role("alert")).to_contain_text("COMP1117")
    picture(page, "student-3-asked-to-accept")
    page.get_by_role("alert").get_by_role("link").click()
    picture(page, "student-4-reads-the-rule")
    page.get_by_role("checkbox", name="I have read the AI rule of COMP1117, version 1").check()
    page.get_by_role("button", name="Accept the rule").click()
    expect(box(page)).to_have_value("Count to a hundred, please")
    expect(page.get_by_role("button", name="Course:")).to_contain_text("COMP1117")
    picture(page, "student-5-accepted")
    box(page).press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    statement = page.context.new_page()
    rows = statement.get_by_role("region", name="Statement for")
    expect_line(statement, "Answer on its way, silent")
    picture(statement, "student-6-held")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    choose_model(page, "Fake slow")
    ask(page, "Count to a hundred, please")
    expect(answer(page)).to_contain_text("3 4")
    page.keyboard.press("Escape")
    expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
    picture(page, "student-7-answer")
    expect_line(statement, "Chat, silent")
    expect(rows.get_by_role("row", name="Chat, slow")).to_contain_text("COMP1117")
    expect(rows.get_by_role("row", name="Grant by Ines Wong")).to_contain_text("+30")
    expect(rows.get_by_role("row", name="Answer on its way")).to_have_count(0)
    expect(rows.get_by_role("rowheader", name="20 prompts per month")).to_be_visible()
    picture(statement, "student-8-statement")
    statement.close()


def look_with_a_reason(teacher: Page) -> None:
    teacher.goto("/review/COMP1117/chats/")
    picture(teacher, "teacher-5-chats")
    teacher.get_by_role("link", name="Open with a reason").click()
    teacher.get_by_label("Reason").select_option("help")
    teacher.get_by_label("In your words").fill("You asked me why it stopped.")
    picture(teacher, "teacher-6-why")
    teacher.get_by_role("button", name="Open for an hour").click()
    expect(teacher.locator(".thread")).to_contain_text("0 1 2 3")
    picture(teacher, "teacher-7-reads")


def test_a_quota_is_scheduled_a_course_ruled_a_request_granted_and_all_of_it_can_be_read(
    enter: Enter, sara: User, ines: User, root: User, term: None
) -> None:
    schedule_a_dollar_for_students(enter(root), next_first_of_september())
    teacher, page = enter(ines), enter(sara)
    allow_with_acknowledgment(teacher)
    ask_for_more(page)
    grant_a_part(teacher)
    accept_and_ask(page)
    look_with_a_reason(teacher)
    page.goto("/usage/who-looked/")
    looked = page.get_by_role("row", name="Ines Wong")
    expect(looked).to_contain_text("the student asked for help")
    expect(looked).to_contain_text("You asked me why it stopped.")
    picture(page, "student-9-who-looked")
