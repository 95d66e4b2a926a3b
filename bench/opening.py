"""`python -m bench opening`: how soon a chat of 500 messages can be read and answered in a browser.

Chromium, from the press to four moments: the server's first byte and last one, the end of the chat painted as we render
it with a box that works, and all 500 messages there. As a laptop on this machine's own network, and as the phone of
`bench page`. Needs the development packages and Chromium. The figures belong to this machine now.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, sync_playwright

from bench import installation
from bench.frames import long_answer
from bench.page import PHONE, chromium, slow_down
from bench.processes import running

MESSAGES, ROUNDS, PHONE_ROUNDS = 500, 9, 3  # a phone takes a minute for all of them
TOKENS = 150  # of each answer: with headings, lists, a table, code and formulas in turn
_FILL = """
import json, sys
from pathlib import Path
from accounts.models import User
from chat.models import Conversation, Message
from chat.types import Author
answers = json.loads(Path({path!r}).read_text())
chat = Conversation.objects.create(user=User.objects.get(email={person!r}), title="Long", model="small")
last = None
for answer in answers:
    for author, text in ((Author.PERSON, "And then? Please explain it with an example."), (Author.MODEL, answer)):
        last = Message.objects.create(conversation=chat, parent=last, author=author, text=text, model="small")
chat.head = last
chat.save()
print(chat.pk)
"""
# The moments as the page sees them, each in the first frame in which it is so.
_WATCH = """
window.moments = {};
const reached = {
  end: () => document.querySelector("article:last-child [data-markdown]:not(.plain) > *"),
  all: () => document.querySelectorAll("article").length >= TOTAL,
};
const look = () => {
  for (const name in reached) if (!(name in moments) && reached[name]()) moments[name] = performance.now();
  if (Object.keys(moments).length < 2) requestAnimationFrame(look);
};
requestAnimationFrame(look);
""".replace("TOTAL", str(MESSAGES))
_TIMES = """async () => {
  while (Object.keys(moments).length < 2) await new Promise(requestAnimationFrame);
  const [visit] = performance.getEntriesByType("navigation");
  return [visit.responseStart, visit.responseEnd, moments.end, moments.all];
}"""
_NAMES = ("first byte", "last byte", "end can be read", "all messages there")


def main(options: argparse.Namespace) -> None:
    """Fill one chat, open it again and again as a laptop and as a phone, and print one table."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        environment = installation.environment_in(Path(folder), LOCAL_MODEL="0")
        cookie = installation.sign_in(environment)
        path = _fill(environment)
        port = int(environment["PORT"])
        serve = [sys.executable, "manage.py", "serve"]
        with (
            running(serve, port=port, log=Path(folder) / "log", cwd=installation.ROOT, env=environment),
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-quic"])
            print(f"{'ms, median (the slowest)':28} " + " ".join(f"{name:>20}" for name in _NAMES))
            for name, phone, rounds in (("laptop", False, ROUNDS), ("phone", True, PHONE_ROUNDS)):
                cells = _measure(browser, f"http://127.0.0.1:{port}{path}", cookie, phone=phone, rounds=rounds)
                print(f"{f'{name}, of {rounds}':28} " + " ".join(f"{cell:>20}" for cell in cells), flush=True)
            browser.close()


def _fill(environment: dict[str, str]) -> str:
    """A chat of MESSAGES, half of them answers; the path of its page."""
    size = TOKENS * 4
    text = long_answer(TOKENS * MESSAGES)
    answers = Path(environment["DATA_DIR"]) / "answers.json"
    answers.write_text(json.dumps([text[at : at + size] for at in range(0, MESSAGES // 2 * size, size)]))
    chat = installation.run(environment, _FILL.format(path=str(answers), person=installation.PERSON))
    return f"/chat/{chat}/"


def _measure(browser: Browser, address: str, cookie: str, *, phone: bool, rounds: int) -> list[str]:
    """The medians of the moments, and the slowest."""
    context = browser.new_context(viewport=PHONE, is_mobile=True) if phone else browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
    context.add_init_script(_WATCH)
    page = context.new_page()
    if phone:
        slow_down(context.new_cdp_session(page))
    opened = [_open(page, address) for _ in range(rounds + 1)][1:]  # the first warms the server
    context.close()
    return [f"{statistics.median(times):.0f} ({max(times):.0f})" for times in zip(*opened, strict=True)]


def _open(page: Page, address: str) -> list[float]:
    """From the page of a new chat, as by a press in the list: a new tab would keep the browser busy with itself."""
    page.goto(urljoin(address, "/"), wait_until="networkidle")
    page.goto(address)
    page.locator("article").nth(MESSAGES - 1).wait_for(timeout=120_000)
    times: list[float] = page.evaluate(_TIMES)
    return times
