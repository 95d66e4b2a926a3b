"""A long answer is read in stretches: nothing of it is lost, and what is cut goes on as what it was."""

import pytest
from playwright.sync_api import Locator, expect

from accounts.models import User
from chat.models import Conversation, Message
from chat.types import Author
from tests.chat.conftest import accepted
from tests.pages.conftest import Visit

pytestmark = pytest.mark.browser

LINE = "for (let i = 0; i < n; i += 1) total += items[i]; // sum\n"
CODE = LINE * 3_000


@pytest.fixture
def shown(visit: Visit, sara: User, clauses: None, request: pytest.FixtureRequest) -> Locator:
    """The words of the answer that is the test's parameter, on the page of a student."""
    accepted(sara)
    talk = Conversation.objects.create(user=sara, title="Long", model="m")
    question = Message.objects.create(conversation=talk, author=Author.PERSON, text="Go on")
    Message.objects.create(conversation=talk, parent=question, author=Author.MODEL, text=request.param, model="m")
    page = visit(sara)
    page.goto(f"/chat/{talk.pk}/")
    return page.locator("article[data-from=model] .prose")


def words_of(shown: Locator) -> str:
    return shown.evaluate("prose => prose.textContent.replace(/\\s+/g, '')")  # type: ignore[no-any-return]


@pytest.mark.parametrize("shown", [f"Before\n\n````js\n{CODE}```\n````\n\nAfter **it**"], indirect=True)
def test_code_longer_than_any_stretch_is_one_block_and_ends_where_it_ends(shown: Locator) -> None:
    expect(shown.locator("strong")).to_have_text("it", timeout=20_000)
    expect(shown.locator("figure.code")).to_have_count(1)
    assert shown.locator("figure.code code").evaluate("code => code.textContent").rstrip("\n") == f"{CODE}```"


@pytest.mark.parametrize("shown", [f"```js\n{CODE}"], indirect=True)
def test_code_that_never_ends_is_shown_whole(shown: Locator) -> None:
    expect(shown.locator("figure.code code")).to_contain_text(LINE.strip())
    expect(shown).to_have_js_property("lastChild.lastChild.textContent.length", len(CODE), timeout=20_000)


@pytest.mark.parametrize("shown", ["".join(f"{n}. item *{n}*\n" for n in range(1, 2_001))], indirect=True)
def test_a_list_longer_than_any_stretch_goes_on_counting(shown: Locator) -> None:
    expect(shown.locator("li")).to_have_count(2_000, timeout=20_000)
    expect(shown.locator("li em").last).to_have_text("2000")
    last = shown.locator("ol").last
    assert last.evaluate("list => list.start + list.children.length - 1") == 2_000


@pytest.mark.parametrize(
    "shown", ["A [source][s] first.\n\n" + "Words. \n\n" * 900 + "[s]: https://example.edu/"], indirect=True
)
def test_an_address_at_the_far_end_makes_the_link_at_the_beginning(shown: Locator) -> None:
    expect(shown.locator("a")).to_have_attribute("href", "https://example.edu/", timeout=20_000)


@pytest.mark.parametrize("shown", ["圖" * 450_000, "a\n\n" * 30_000], indirect=True, ids=["line", "lines"])
def test_what_is_beyond_all_bounds_is_shown_as_it_was_written(shown: Locator, request: pytest.FixtureRequest) -> None:
    text = "".join(request.node.callspec.params["shown"].split())
    expect(shown.locator(".piece").last).to_be_attached(timeout=20_000)
    shown.page.wait_for_function(
        "([prose, end]) => prose.textContent.replace(/\\s+/g, '').length >= end",
        arg=[shown.element_handle(), len(text.encode("utf-16-le")) // 2],
    )
    assert words_of(shown) == text
