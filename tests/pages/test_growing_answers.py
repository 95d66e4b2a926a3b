"""An answer that grows shows where, and what it stresses looks stressed in the script it is written in."""

import pytest
from playwright.sync_api import expect

from accounts.models import User
from chat.models import Conversation, Message
from chat.types import Author
from tests.chat.conftest import accepted
from tests.pages.conftest import Visit

pytestmark = pytest.mark.browser

CARET = """prose => [...prose.querySelectorAll("*")]
  .filter(node => getComputedStyle(node, "::after").content === '""').map(node => node.localName)"""


def said(person: User, text: str) -> str:
    accepted(person)
    talk = Conversation.objects.create(user=person, title="Growing", model="m")
    question = Message.objects.create(conversation=talk, author=Author.PERSON, text="Go on")
    Message.objects.create(conversation=talk, parent=question, author=Author.MODEL, text=text, model="m")
    return f"/chat/{talk.pk}/"


@pytest.mark.usefixtures("clauses")
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("One\n\nTwo", "p"),
        ("Look:\n\n```python\nlow = 1", "code"),
        ("- one\n- two\n    - deep", "li"),
        ("- one\n    - deep\n- two", "li"),
        ("> quoted", "p"),
    ],
)
def test_the_mark_of_growing_stands_once_behind_the_last_word(visit: Visit, sara: User, text: str, where: str) -> None:
    page = visit(sara)
    page.goto(said(sara, text))
    prose = page.locator("article[data-from=model] .prose")
    expect(prose.locator(where).last).to_be_visible()
    assert prose.evaluate(CARET) == []
    prose.evaluate("prose => prose.closest('article').setAttribute('aria-busy', 'true')")
    assert prose.evaluate(CARET) == [where]


@pytest.mark.usefixtures("clauses")
def test_only_chinese_words_are_stressed_by_dots(visit: Visit, sara: User) -> None:
    page = visit(sara, language="zh-HK")
    page.goto(said(sara, "*二分搜尋* and *binary search*"))
    stressed = page.locator("article[data-from=model] em")
    expect(stressed).to_have_count(2)
    look = "all => all.map(em => [getComputedStyle(em).textEmphasisStyle, getComputedStyle(em).fontStyle])"
    assert stressed.evaluate_all(look) == [["dot", "normal"], ["none", "italic"]]


@pytest.mark.usefixtures("clauses")
def test_each_paragraph_runs_as_its_script_does(visit: Visit, sara: User) -> None:
    page = visit(sara)
    page.goto(said(sara, "مرحبا بالعالم\n\nHello, world"))
    words = page.locator("article[data-from=model] .prose p")
    expect(words).to_have_count(2)
    ends = """all => all.map(p => {
      const words = document.createRange();
      words.selectNodeContents(p);
      const [at, line] = [words.getBoundingClientRect(), p.getBoundingClientRect()];
      return at.left - line.left > line.right - at.right ? "right" : "left";
    })"""
    assert words.evaluate_all(ends) == ["right", "left"]
