"""Files in the composer, in a real browser: by the button, by dropping, by pasting; said, shown, taken back, sent."""

import base64
import io
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from accounts.types import Principal
from gateway.models import Model
from gateway.types import Capability
from tests.chat.conftest import AddModel
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.journeys.conftest import sign_in

pytestmark = pytest.mark.browser

BRING = """([kind, files]) => {
  const carried = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type }));
  }
  const box = document.querySelector("#prompt");
  if (kind === "paste") {
    const event = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: carried });
    return box.dispatchEvent(event);
  }
  for (const name of kind === "over" ? ["dragover"] : ["dragover", "drop"]) {
    box.dispatchEvent(new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: carried }));
  }
}"""
PASTE_TEXT = """(length) => {
  const carried = new DataTransfer();
  carried.setData("text/plain", "word ".repeat(length / 5));
  const event = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: carried });
  document.querySelector("#prompt").dispatchEvent(event);
}"""


@pytest.fixture(autouse=True)
def _models(add_model: AddModel, student: Principal) -> None:
    for name, abilities in (("good", [Capability.VISION]), ("slow", [Capability.TOOLS])):
        model = add_model(name)
        Model.objects.filter(pk=model.pk).update(capabilities=abilities, position=name == "slow")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(file, "PNG")
    return file.getvalue()


def bring(page: Page, kind: str, *files: tuple[str, bytes]) -> None:
    carried = [{"name": name, "type": "", "data": base64.b64encode(data).decode()} for name, data in files]
    page.evaluate(BRING, [kind, carried])


def test_files_come_by_button_drop_and_paste_and_go_with_the_question(
    visit: Page, upstream: FakeUpstream, tmp_path: Path
) -> None:
    sign_in(visit, "sara@example.edu")
    notes = tmp_path / "notes.txt"
    notes.write_text("Water boils.")
    button, files = (
        visit.get_by_role("button", name="Attach files"),
        visit.get_by_role("list", name="Files that go along"),
    )

    button.press("Enter")
    expect(visit.locator("#attach-limits")).to_contain_text("At most 5 files to a question")
    visit.get_by_label("Choose files").set_input_files(notes)
    expect(files.get_by_text("notes.txt")).to_be_visible()
    bring(visit, "over", ("reef.png", png()))
    expect(visit.get_by_text("Drop the files here")).to_be_visible()
    bring(visit, "drop", ("reef.png", png()), ("essay.docx", b"PK\x03\x04"))
    expect(files.get_by_role("img", name="Enlarge reef.png")).to_be_visible()
    expect(visit.get_by_text("Word, Excel and other packed files")).to_be_visible()
    expect(visit.get_by_text("Drop the files here")).to_be_hidden()
    bring(visit, "paste", ("wreck.png", png()))
    expect(files.get_by_role("listitem")).to_have_count(3)
    files.get_by_role("button", name="Remove wreck.png").press("Enter")
    expect(files.get_by_role("listitem")).to_have_count(2)
    visit.locator("#prompt").fill("What is it?")
    visit.reload()
    expect(files.get_by_role("listitem")).to_have_count(2)
    expect(visit.locator("#prompt")).to_have_value("What is it?")
    assert not Axe().run(visit).response["violations"]

    visit.locator("#prompt").press("Enter")
    expect(visit.locator("article[data-from=model]")).to_contain_text(ANSWER)
    expect(files).to_be_hidden()
    sent = visit.locator("article[data-from=person]")
    expect(sent.get_by_role("link", name="notes.txt")).to_be_visible()
    words, shown = upstream.calls()[-1].body["messages"][-1]["content"]
    assert "Water boils." in words["text"]
    assert Image.open(io.BytesIO(base64.b64decode(shown["image_url"]["url"].partition(",")[2]))).size == (60, 40)

    sent.get_by_role("link", name="Enlarge reef.png").press("Enter")
    expect(visit.get_by_role("dialog", name="Attached picture").get_by_role("img", name="reef.png")).to_be_visible()
    visit.keyboard.press("Escape")
    expect(visit.get_by_role("dialog")).to_be_hidden()
    visit.reload()
    expect(files).to_be_hidden()


def test_a_model_that_looks_at_no_pictures_is_named_before_anything_is_sent(
    visit: Page, upstream: FakeUpstream
) -> None:
    sign_in(visit, "sara@example.edu")
    visit.locator("[popovertarget=models]").click()
    visit.get_by_role("radio", name="Fake slow").check()
    bring(visit, "drop", ("reef.png", png()))

    said = visit.locator("#unseen")
    expect(said).to_contain_text("does not look at pictures")
    said.get_by_role("button", name="Fake good").click()
    expect(said).to_be_hidden()
    expect(visit.locator("[popovertarget=models]")).to_contain_text("Fake good")


def test_a_paste_of_fifty_megabytes_becomes_a_file_and_the_page_lives(visit: Page) -> None:
    sign_in(visit, "sara@example.edu")
    visit.locator("#prompt").fill("Sum this up: ")

    visit.evaluate(PASTE_TEXT, 50_000_000)

    expect(visit.get_by_text("The text you pasted has 50,000,000 characters. Its first 100,000")).to_be_visible()
    expect(visit.locator("#files").get_by_text("pasted text.txt")).to_be_visible()
    expect(visit.locator("#prompt")).to_have_value("Sum this up: ")
    visit.evaluate(PASTE_TEXT, 40_000)
    expect(visit.get_by_text("The text you pasted has 40,000 characters; 32,000 fit")).to_be_visible()


def test_what_is_too_large_or_too_many_is_said_before_it_travels(visit: Page) -> None:
    sign_in(visit, "sara@example.edu")
    bring(visit, "drop", *[(f"{number}.txt", b"words") for number in range(6)])
    expect(visit.get_by_text("5.txt Not attached: at most 5 files")).to_be_visible()
    expect(visit.locator("#files [data-file]")).to_have_count(5)

    visit.locator("#files button").first.click()
    bring(visit, "drop", ("large.txt", b"a" * (10 * 1024 * 1024 + 1)))
    expect(visit.get_by_text("large.txt This file is larger than 10.0")).to_be_visible()
