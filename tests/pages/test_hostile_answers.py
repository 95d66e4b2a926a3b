"""Whatever a model writes, the reader's browser runs none of it and asks nobody for anything (contract C30).

The payloads of tests/pages/hostile.py stand in a real conversation, opened in Chromium on the page of a student: once
with the Content-Security-Policy and once without it, so that the policy is the second wall and never the first.
"""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from chat import services
from chat.models import Conversation, Message
from chat.services import LEASE
from chat.types import Author, Progress
from core import clock
from tests.chat.conftest import accepted
from tests.pages.conftest import sign_in
from tests.pages.hostile import payloads

pytestmark = pytest.mark.browser

# A trap in place of whatever a payload calls, before any script of the page.
TRAP = """
window.ran = [];
for (const name of ["alert", "confirm", "prompt", "msgbox"]) window[name] = (...args) => ran.push([name, ...args]);
"""
# What nothing of a model may become, and what no element of its words may carry.
SUSPECTS = """() => {
  const TAGS = new Set(("script style iframe object embed link meta base form img svg video audio template input select"
    + " textarea button dialog slot").split(" "));
  const NAMES = /^(on|hx-|data-hx-|style$|src|action|formaction|ping|id$|name$|is$|xlink)/;
  const found = [];
  for (const prose of document.querySelectorAll("article .prose")) {
    for (const element of prose.querySelectorAll("*")) {
      if (element.closest("figure.code > header")) continue; // the page's own: Wrap and Copy
      const tag = element.localName;
      if (TAGS.has(tag)) found.push(tag);
      for (const { name, value } of element.attributes) {
        if (NAMES.test(name)) found.push(`${tag} ${name}`);
        if (name === "href" && !/^(https?:|mailto:)/.test(value)) found.push(`${tag} href ${value}`);
      }
    }
  }
  return found;
}"""
CARELESS = """() => {
  document.body.innerHTML =
    '<article><div class="prose"><img src="https://evil.example/x" onerror="alert(1)"></div></article>';
}"""
# By hand, too: hovered, focused, opened.
DISTURBED = """() => {
  for (const element of document.querySelectorAll("article .prose *")) {
    for (const kind of ["mouseover", "focus", "toggle", "animationstart"]) {
      element.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }
}"""


@pytest.fixture(params=[True, False], ids=["with the policy", "without the policy"])
def watched(request: pytest.FixtureRequest, site: str, browser: Browser, sara: User) -> Iterator[Page]:
    """Sara's browser with a trap set. Fails at the end if anything ran, or if anybody was asked beside our server."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 800}, bypass_csp=not request.param)
    context.add_init_script(TRAP)
    sign_in(context, sara, site)
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda sent: asked.append(sent.url))
    yield page
    page.wait_for_timeout(200)  # a picture that fails takes a moment to say so
    ran = page.evaluate("window.ran")
    context.close()
    assert ran == []
    strangers = {url for url in asked if not url.startswith((f"{site}/static/", "data:", "blob:"))}
    ours = {"/", "/usage/meter/", "/brand.css", "/manifest.webmanifest", "/worker.js", "/offline/"}
    assert {url for url in strangers if not url.startswith(site)} == set()
    paths = {urlsplit(url).path for url in strangers}
    assert {path for path in paths if path not in ours and not path.startswith("/chat/")} == set()


@pytest.fixture
def talk(sara: User, clauses: None) -> Conversation:
    accepted(sara)
    return Conversation.objects.create(user=sara, title="<img src=x onerror=alert(1)>", model="m")


def test_there_are_payloads_enough() -> None:
    assert len(payloads()) >= 300


def test_the_trap_and_the_watch_would_notice(site: str, browser: Browser) -> None:
    """The same page without our care: a payload by innerHTML runs, so a green run below means something."""
    context = browser.new_context(base_url=site, bypass_csp=True)
    context.add_init_script(TRAP)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto("/accounts/login/")
    page.evaluate(CARELESS)
    page.wait_for_function("() => window.ran.length")
    assert "https://evil.example/x" in asked
    assert set(page.evaluate(SUSPECTS)) == {"img", "img src", "img onerror"}
    context.close()


def test_nothing_a_model_wrote_runs_or_is_fetched(watched: Page, talk: Conversation) -> None:
    hostile = payloads()
    said: list[Message] = []
    for text in hostile:
        for author in (Author.PERSON, Author.MODEL):
            parent = said[-1] if said else None
            said.append(Message(conversation=talk, parent=parent, author=author, text=text, model="m"))
    Message.objects.bulk_create(said)
    watched.goto(f"/chat/{talk.pk}/")

    shown = watched.locator("article[data-from=model] .prose")
    expect(shown).to_have_count(len(hostile), timeout=15_000)  # the page opens at its end, and fetches the rest
    expect(watched.locator("article .prose.plain[data-markdown]")).to_have_count(0)
    expect(watched.locator("math").first).to_be_attached(timeout=30_000)
    assert watched.evaluate(SUSPECTS) == []
    watched.evaluate(DISTURBED)


def test_nothing_runs_while_the_words_arrive(watched: Page, talk: Conversation) -> None:
    """Half a tag, half an address, half a fence: cut wherever a stream may cut it."""
    text = "\n\n".join(payload for payload in payloads()[::2] if "```" not in payload and "<!--" not in payload)
    question = Message.objects.create(conversation=talk, author=Author.PERSON, text="Be hostile")
    answer = Message.objects.create(
        conversation=talk,
        parent=question,
        author=Author.MODEL,
        model="m",
        progress=Progress.RUNNING,
        lease_until=clock.now() + LEASE,
    )
    watched.goto(f"/chat/{talk.pk}/")
    pieces = 40
    for number in range(1, pieces + 1):
        services.save_progress(texts={answer.pk: text[: len(text) * number // pieces]})
        time.sleep(0.05)
    assert watched.evaluate(SUSPECTS) == []
    services.finish_answer(answer_id=answer.pk, text=text, progress=Progress.COMPLETE)

    expect(watched.locator("article[aria-busy]")).to_have_count(0, timeout=15_000)
    assert watched.evaluate(SUSPECTS) == []
