"""A model that thinks aloud: folded away while it thinks and after, opened by who wants to read it."""

import asyncio
import threading
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.types import Principal
from tests.chat.conftest import AddModel
from tests.fakes.upstream import ANSWER, BEHAVIORS, FakeUpstream, Out
from tests.fakes.upstream import _piece as piece
from tests.journeys.conftest import sign_in

pytestmark = pytest.mark.browser

FIRST, LAST = 'They ask <img src="x" onerror="window.ran = 1"> **me**. ', "So I greet."


@pytest.fixture
def is_read(add_model: AddModel, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A model that stops in the middle of its thought until this is set."""
    is_read = threading.Event()

    async def ponders(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.open_stream()
        await out.event(piece({"role": "assistant", "reasoning_content": FIRST}))
        await asyncio.to_thread(is_read.wait, 20)
        await out.event(piece({"reasoning_content": LAST}))
        await out.event(piece({"content": ANSWER}))
        await out.event(piece({}, "stop"))
        await out.close_stream()

    monkeypatch.setattr(upstream, "behaviors", {**BEHAVIORS, "ponders": ponders})
    add_model("ponders")
    return is_read


def test_a_thought_is_folded_away_opened_and_stays_open(
    visit: Page, sara: User, student: Principal, is_read: threading.Event
) -> None:
    page = visit
    sign_in(page, sara.email)
    page.goto("/")

    page.get_by_label("Your prompt", exact=True).fill("Why is the sky blue at noon?")
    page.get_by_label("Your prompt", exact=True).press("Enter")
    summary, thought = page.get_by_text("How it thought"), page.locator("[data-thought] > p")
    expect(summary).to_be_visible()
    expect(thought).to_be_hidden()
    summary.press("Enter")
    expect(thought).to_have_text(FIRST)
    is_read.set()

    prose = page.locator("article[data-from=model] .prose")
    expect(prose).to_have_text(ANSWER)
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    expect(thought).to_be_visible()
    expect(thought).to_have_text(FIRST + LAST)
    expect(summary).to_be_focused()
    assert page.locator("[data-thought] img").count() == 0
    assert Axe().run(page).response["violations"] == []

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == ANSWER

    page.reload()
    expect(prose).to_have_text(ANSWER)
    expect(thought).to_be_hidden()
    summary.click()
    expect(thought).to_have_text(FIRST + LAST)
    assert page.evaluate("window.ran") is None
