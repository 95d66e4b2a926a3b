"""A student's days with the chat page, in a real browser against a real server."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from accounts.types import Principal
from chat import drawing, services
from chat.models import ImageJob, Message
from chat.types import Progress
from gateway.admission import conclude
from gateway.types import Ending
from policies.models import ClauseVersion
from quotas.models import Reservation
from quotas.services import set_quota
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer
from tests.fakes.proxy import open_proxy
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.journeys.conftest import sign_in
from usage.types import Outcome

pytestmark = pytest.mark.browser

DEMO_QUESTION = "Binary search: at most how many steps for 1,000 items?"
DEMO_ANSWER = """\
At most **10**, because each comparison halves what is left:

$$c(n) = \\lceil \\log_2(n + 1) \\rceil$$

In Python, so that equal items give the first position:

```python
def find(items, wanted):
    low, high = 0, len(items)
    while low < high:  # the answer is in items[low:high]
        mid = (low + high) // 2
        if items[mid] < wanted:
            low = mid + 1
        else:
            high = mid
    return low
```
"""
HOSTILE = """\
<script>window.ran = 1</script> <img src=x onerror="window.ran = 2"> <svg onload="window.ran = 3"></svg>
<a href="javascript:window.ran = 4">one</a>

[two](javascript:window.ran=5) [three](data:text/html,<script>1</script>)
![four](https://evil.example/pixel.png) <iframe src="https://evil.example/"></iframe>
<form action="https://evil.example/"><input name=x></form> <style>p { background: url(https://evil.example/) }</style>

[five](https://example.org "onmouseover=window.ran=6") <math><mtext><script>window.ran = 7</script></mtext></math>

```html
<script>window.ran = 8</script>
```

$\\href{javascript:window.ran=9}{x} \\includegraphics{https://evil.example/y.png}$

| <img src=x onerror="window.ran = 10"> |
|---|
| [x](vbscript:x) |
"""


def box(page: Page) -> Locator:
    return page.get_by_label("Your prompt", exact=True)


def ask(page: Page, text: str) -> None:
    """Ask as soon as the answer before is whole: until then nothing is sent."""
    expect(page.locator("#send")).to_be_visible()
    box(page).fill(text)
    box(page).press("Enter")


def answer(page: Page) -> Locator:
    return page.locator("article[data-from=model] .prose").last


def test_the_first_day(visit: Page, sara: User, clauses: None, add_model: AddModel) -> None:
    """Sign in, accept, ask, read, reload, rename, delete, undo."""
    add_model("unhurried")
    page = visit
    sign_in(page, sara.email)

    page.goto("/")
    ask(page, "What is Hello in full?")
    expect(page.get_by_role("alert")).to_contain_text("Please accept the clauses first")
    expect(box(page)).to_have_value("What is Hello in full?")
    page.get_by_role("link", name="Read the clauses").click()
    for _ in range(ClauseVersion.objects.count()):
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Accept and go on").click()

    expect(box(page)).to_have_value("What is Hello in full?")
    box(page).press("Enter")
    expect(answer(page)).to_have_text(ANSWER)
    expect(page.get_by_text("1 prompt", exact=True).first).to_be_visible()
    expect(box(page)).to_have_value("")
    expect(box(page)).to_have_attribute("placeholder", "Ask the next question")

    expect(page).to_have_url(re.compile("/chat/"))
    page.reload()
    expect(answer(page)).to_have_text(ANSWER)
    expect(page.get_by_role("heading", name="What is Hello in full?")).to_be_visible()

    page.get_by_role("button", name="More").click()
    page.get_by_label("Title").fill("Greetings")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_role("link", name="Greetings")).to_be_visible()

    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete this chat").click()
    expect(page.get_by_role("link", name="Greetings")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Greetings")).to_be_visible()


def test_out_of_prompts(visit: Page, sara: User, student: Principal, add_model: AddModel) -> None:
    """The last prompt is answered, the next one is refused in words and kept."""
    add_model("good")
    set_quota(limit=2, user_id=sara.pk)
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    for number in (1, 2):
        ask(page, f"Question {number}")
        expect(page.locator("article[data-from=model]:not([aria-busy])")).to_have_count(number)

    expect(page.locator(".cost")).to_contain_text("0 left")
    ask(page, "Question 3")

    expect(page.get_by_role("alert")).to_contain_text("Nothing was charged")
    expect(page.get_by_role("alert")).to_contain_text("Your prompts are used up")
    expect(box(page)).to_have_value("Question 3")
    page.reload()
    expect(box(page)).to_have_value("Question 3")
    assert Message.objects.count() == 4
    assert Reservation.objects.count() == 2


def test_stop_keeps_what_was_said(
    visit: Page, sara: User, student: Principal, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("slow")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "Count to a hundred")
    expect(answer(page)).to_contain_text("3 4")

    page.keyboard.press("Escape")

    expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("Stopped.")
    assert upstream.calls()[0].left.wait(2)
    assert Message.objects.get(progress=Progress.STOPPED).text.startswith("0 1 2 3 4")


def test_a_reload_and_a_second_tab_find_the_running_answer(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("slow")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "Count to a hundred")
    expect(answer(page)).to_contain_text("3 4")

    page.reload()
    second = page.context.new_page()
    second.goto(page.url)

    for tab in (page, second):
        expect(tab.get_by_role("button", name="Stop")).to_be_visible()
        expect(answer(tab)).to_contain_text("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14")
    second.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
    assert Message.objects.filter(progress=Progress.STOPPED).count() == 1


def test_a_growing_answer_keeps_who_is_at_its_end_there_and_leaves_who_reads_further_up(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    conversation = answered(student, "Count", "\n\n".join(f"Line {n}" for n in range(60)))
    add_model("slow")
    page = visit
    sign_in(page, sara.email)
    page.goto(f"/chat/{conversation}/")
    page.get_by_role("button", name="AI model:").click()
    page.get_by_label("slow").check()
    page.keyboard.press("Escape")
    ask(page, "Count to a hundred")
    expect(answer(page)).to_contain_text("3 4")
    transcript = page.locator(".transcript")
    away = "transcript => transcript.scrollHeight - transcript.clientHeight - transcript.scrollTop"
    assert transcript.evaluate(away) < 2
    assert transcript.evaluate("transcript => transcript.scrollTop") > 0, "it grows from its beginning"

    transcript.evaluate("transcript => transcript.scrollBy(0, -600)")
    expect(page.get_by_role("button", name="Latest")).to_be_visible()
    place = transcript.evaluate("transcript => transcript.scrollTop")
    expect(answer(page)).to_contain_text("8 9 10 11 12")
    assert transcript.evaluate("transcript => transcript.scrollTop") == place
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
    assert transcript.evaluate("transcript => transcript.scrollTop") < -500, "from the end again, and where it was"


def test_a_lost_network_is_said_and_the_answer_goes_on_where_it_was(
    visit: Page, sara: User, student: Principal, add_model: AddModel, web: RunningServer
) -> None:
    add_model("slow")
    sign_in(visit, sara.email)
    with open_proxy(int(web.address.rpartition(":")[2])) as network:
        page = visit.context.new_page()  # cookies are for a host, whatever the port
        page.goto(f"http://127.0.0.1:{network.port}/")
        ask(page, "Count to a hundred")
        expect(answer(page)).to_contain_text("3 4")

        network.is_down = True
        network.cut()
        expect(page.locator("#status")).to_have_text("Connection lost. Waiting for the answer to go on.")
        network.heal()

        expect(page.locator("#status")).to_have_text("Answering. Press Escape to stop.")
        expect(answer(page)).to_contain_text("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("stopped, 1 prompt")).to_be_visible()
        page.close()


def test_a_provider_that_fails_is_told_in_the_thread_and_asked_again(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("fails-once")
    add_model("breaks")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    page.get_by_role("button", name="AI model").click()
    page.get_by_label("Fake breaks").check()
    ask(page, "Break, please")
    expect(page.locator("article .notice")).to_contain_text("The AI provider failed. Nothing was charged.")

    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_text("2/2")).to_be_visible()
    expect(page.locator("article .notice")).to_have_count(1)
    assert Message.objects.filter(progress=Progress.FAILED).count() == 2


def test_an_edited_question_is_a_branch_and_the_arrows_lead_back(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    ask(page, "First wording")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()

    page.get_by_text("Edit", exact=True).click()
    page.get_by_label("Your prompt in other words").fill("Second wording")
    page.get_by_role("button", name="Send as a branch").click()

    expect(page.get_by_text("2/2")).to_be_visible()
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
    expect(page.locator(".thread .prose").first).to_have_text("Second wording")
    page.get_by_role("button", name="Earlier branch").click()
    expect(page.locator(".thread .prose").first).to_have_text("First wording")
    expect(page.get_by_text("1/2")).to_be_visible()


def test_an_input_method_is_never_cut_off(visit: Page, sara: User, student: Principal, add_model: AddModel) -> None:
    add_model("good")
    page = visit
    sign_in(page, sara.email)
    page.goto("/")
    box(page).fill("二分")

    box(page).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    box(page).dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    box(page).press("Shift+Enter")

    expect(box(page)).to_have_value("二分\n")
    assert not Message.objects.exists()


def test_nothing_a_model_writes_runs_or_is_fetched(
    visit: Page, sara: User, student: Principal, add_model: AddModel
) -> None:
    """`visit` fails on any request that leaves the product."""
    add_model("good")
    conversation = answered(student, "Be hostile", HOSTILE)
    page = visit
    sign_in(page, sara.email)

    page.goto(f"/chat/{conversation}/")

    expect(page.locator(".prose table")).to_be_visible()
    expect(page.locator("figure.code")).to_contain_text("window.ran = 8")
    assert page.evaluate("() => window.ran") is None
    hostile = page.locator(".thread :is(script, iframe, .prose form, style, img, object, embed, .prose svg)")
    expect(hostile).to_have_count(0)
    addresses = page.locator(".prose a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert set(addresses) == {"https://evil.example/pixel.png", "https://example.org"}
    for rel in page.locator(".prose a").evaluate_all("links => links.map(link => link.rel)"):
        assert "noopener" in rel


@pytest.mark.parametrize(
    "bomb",
    [">" * 10_000, "\\[" * 5_000, "_a_b" * 5_000, "* " * 2_000, "x" * 500_000, "```\n" + "x\n" * 5_000],
    ids=["quotes", "formulas", "emphasis", "lists", "one long line", "unclosed fence"],
)
def test_a_markdown_bomb_leaves_the_page_alive(
    visit: Page, sara: User, student: Principal, add_model: AddModel, bomb: str
) -> None:
    """`visit` fails on any error of a script."""
    add_model("good")
    conversation = answered(student, "Blow up", f"Before.\n\n{bomb}")
    page = visit
    sign_in(page, sara.email)

    page.goto(f"/chat/{conversation}/")

    expect(answer(page)).to_contain_text("Before.")
    ask(page, "Still there?")
    expect(page.locator("article[data-from=model]:not([aria-busy])")).to_have_count(2)


def test_an_image_is_made(visit: Page, web: RunningServer, sara: User, student: Principal, catalog: None) -> None:
    page = visit
    sign_in(page, sara.email)
    page.goto("/images/")
    page.get_by_label("Describe the image").fill("A coral reef")
    page.get_by_label("How many").select_option("2")
    expect(page.locator(".cost")).to_contain_text("uses 2 of your 20 left")

    page.get_by_role("button", name="Make").click()
    expect(page.get_by_text("2 prompts held")).to_be_visible()
    web.run(drawing.draw(ImageJob.objects.get().pk))

    expect(page.get_by_role("img", name="A coral reef")).to_have_count(2)
    expect(page.locator(".cost")).to_contain_text("of your 18 left")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename == "A_coral_reef.png"
    page.reload()
    expect(page.get_by_role("img", name="A coral reef")).to_have_count(2)


def test_the_picture_of_the_readme(
    visit: Page, sara: User, student: Principal, add_model: AddModel, tmp_path: Path
) -> None:
    """The page as it should look. `TAKE_PICTURES=1 ./scripts/test -k readme` puts it into docs/images/."""
    add_model("good", label="Harbour 8B")
    for earlier in ("Debug my merge sort", "Outline for the HIST2021 essay"):
        answered(student, earlier, "Gladly.")
    conversation = answered(student, DEMO_QUESTION, DEMO_ANSWER)
    page = visit
    sign_in(page, sara.email)

    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"/chat/{conversation}/")

    expect(page.locator("math")).to_be_visible()
    expect(page.locator("figure.code .k").first).to_have_text("def")
    place = Path(settings.BASE_DIR) / "docs" / "images" if "TAKE_PICTURES" in os.environ else tmp_path
    page.screenshot(path=place / "chat.png")


def test_brackets_grow_with_what_they_hold(
    visit: Page, student: Principal, sara: User, clauses: None, add_model: AddModel
) -> None:
    """Also on a machine without a font for formulas, as phones are: it comes with the product."""
    add_model("good")
    conversation = answered(student, "Phase?", r"$$(x) = \left(\frac{2\pi t}{12.42}\right)$$")
    sign_in(visit, sara.email)
    visit.goto(f"/chat/{conversation}/")

    visit.wait_for_function("""() => {
      const [small, tall] = [...document.querySelectorAll("math mo")].filter((mo) => mo.textContent === "(");
      return tall && tall.getBoundingClientRect().height > 1.5 * small.getBoundingClientRect().height;
    }""")


def answered(student: Principal, question: str, text: str) -> str:
    """A conversation with one answered question; gives its id."""
    asked = services.ask(principal=student, text=question, model="good")
    conclude(asked.admission, Ending(Outcome.SERVED))
    services.finish_answer(answer_id=asked.answer_id, text=text, progress=Progress.COMPLETE)
    return str(asked.conversation_id)
