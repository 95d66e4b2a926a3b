"""`python -m bench frames`: how long an answer that grows, or a hostile one, keeps the page busy at one stretch.

Our renderer alone, in our style sheet, in Chromium: no server and no network. A stretch is one task of the page's main
thread in processor time (of the trace, so that a busy machine disturbs little); a frame cannot be shorter than it.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

from bench.installation import ROOT
from bench.page import chromium

SITE = "http://bench.invalid/"
TOKENS, PACE = 20_000, 100  # of a long answer, a second
_HTML = """<!doctype html><html lang="en"><meta charset="utf-8">
<link rel="stylesheet" href="tokens.css"><link rel="stylesheet" href="app.css">
<div class="shell"><main class="chat"><div class="transcript"><div class="thread">
<article class="message" aria-busy="true"><div class="body">
<div class="prose" id="prose"></div></div></article></div></div></main></div>
<script type="module">
import { Ending } from "./ending.js";
import { Markdown } from "./markdown.js";
window.ending = new Ending(document.querySelector(".transcript"));
window.fresh = () => {
  const prose = document.createElement("div");
  prose.className = "prose";
  document.getElementById("prose").replaceChildren(prose);
  return new Markdown(prose, { wrap: "Wrap", copy: "Copy", code: "Code", table: "Table", picture: "picture" });
};
window.ready = true;
</script>"""
# Each piece is shown in a frame of its own, as the chat page does it.
_GROW = """async ({ text, pieces, pace }) => {
  const markdown = fresh();
  ending.grow(true);
  const began = performance.now();
  for (let shown = 0; shown < pieces; ) {
    await new Promise(requestAnimationFrame);
    shown = pace ? Math.min(pieces, Math.ceil(((performance.now() - began) / 1000) * pace)) : shown + 1;
    markdown.show(text.slice(0, Math.ceil((text.length * shown) / pieces)));
  }
  await markdown.finish(text);
  ending.grow(false);
  await new Promise((done) => setTimeout(done, 300));
}"""
_WHOLE = """async ({ text }) => {
  await fresh().finish(text);
  await new Promise((done) => setTimeout(done, 300));
}"""
_PART = """## Part {0}

Sorting *{0}* items takes about $n \\\\log n$ steps, as [the proof](https://example.edu/{0}) shows.
Words that are read at ease follow here, and a few more, so that a paragraph has the length of one.

- first, look at the middle
- then, at **one** half
    - and so on

| Items | Steps |
| ---: | ---: |
| 1,000 | 10 |
| {0} | 20 |

```python
def find_{0}(items: list[int], wanted: int) -> int:
    # Halves what is left until nothing is.
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if items[middle] < wanted else (low, middle)
    return low
```

$$\\\\sum_{{k=1}}^{{n}} k = \\\\frac{{n(n+1)}}{{2}}$$

"""


@dataclass(frozen=True, slots=True)
class Busy:
    """What one answer cost: the longest task in ms of processor time, how many were over 50, the heap in MB then."""

    longest: float
    over: int
    heap: float


def long_answer(tokens: int = TOKENS) -> str:
    """An answer of that many tokens (four characters each), with everything an answer may hold."""
    text = "".join(_PART.format(number) for number in range(tokens))[: tokens * 4]
    return text.replace("\\\\", "\\")


def bombs() -> dict[str, str]:
    """What a hostile model may write to make a reader's page stand still."""
    line = "for (let i = 0; i < n; i += 1) total += items[i]; // sum\n"
    return {
        "an unclosed fence of 200 kB": "```js\n" + line * (200_000 // len(line)),
        "a fence of 390 kB": "```js\n" + line * (390_000 // len(line)) + "```\n",
        "a line of a million characters": "x" * 1_000_000,
        "a million words": "word " * 200_000,
        "a line of 390,000 characters": "x" * 390_000,
        "200,000 openings of formulas": "\\[" * 200_000,
        "openings of formulas, 4 kB apart": ("\\[" + "x" * 1900) * 200,
        "dollars": "$$" * 190_000,
        "paragraphs of one letter": "a\n\n" * 130_000,
        "one list of 100,000 items": "- a\n" * 97_000,
        "a table of 30,000 rows": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 30_000,
        "stars": "*a " * 130_000,
        "paragraphs of stars": ("*a " * 1600 + "\n\n") * 80,
        "paragraphs of dollars": ("$a " * 1600 + "\n\n") * 80,
        "paragraphs of brackets": ("[a](" * 1200 + "\n\n") * 80,
        "brackets": "[" * 390_000,
        "quotes in quotes": "> " * 190_000,
        "lists in lists": "\n".join(" " * (2 * n) + "- a" for n in range(600)),
        "formulas": "$x^2$ " * 60_000,
        "blocks of formulas": "$$x^2$$\n\n" * 40_000,
        "links that are not defined": "[a][b] " * 55_000,
        "definitions": "".join(f"[a{n}]: https://example.edu/{n}\n" for n in range(10_000)),
        "ticks": "".join("`" * (n % 40 + 1) + "a" for n in range(19_000)),
        "tags": "<a " * 130_000,
        "entities": "&amp;" * 78_000,
    }


def main(options: argparse.Namespace) -> None:
    """Print one line for the long answer, and one for each bomb, whole and growing."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, sync_playwright() as playwright:
        bundle(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = open_page(browser, Path(folder))
        print(f"{'answer':44} {'longest task, ms':>16} {'over 50 ms':>10} {'heap, MB':>10}")
        for name, text in bombs().items():
            _tell(f"{name}, whole", measure(browser, page, _WHOLE, {"text": text}))
            _tell(f"{name}, in 20 pieces", measure(browser, page, _GROW, {"text": text, "pieces": 20, "pace": 0}))
        _tell("nothing", measure(browser, page, _WHOLE, {"text": ""}))
        long = {"text": long_answer(), "pieces": TOKENS, "pace": PACE}
        for _time in range(2):
            _tell(f"{TOKENS:,} tokens at {PACE} a second", measure(browser, page, _GROW, long))
            _tell("nothing, after it", measure(browser, page, _WHOLE, {"text": ""}))
        browser.close()


def bundle(folder: Path) -> None:
    """Our renderer, and what keeps it at its end, as modules in `folder`, by the bundler of the pages' scripts."""
    sources = [str(ROOT / "frontend" / "src" / "shared" / name) for name in ("markdown.js", "ending.js")]
    script = f"""import {{ build }} from "esbuild";
      await build({{ entryPoints: {json.dumps(sources)}, outdir: {json.dumps(str(folder))}, bundle: true,
        splitting: true, format: "esm", minify: true, target: "es2022" }});"""
    node = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    subprocess.run([node or "node", "--input-type=module", "-e", script], cwd=ROOT / "frontend", check=True)


def open_page(browser: Browser, folder: Path) -> Page:
    """A page with the renderer, our style sheet and the font of formulas."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    places = (folder, ROOT / "frontend" / "static" / "css", ROOT / "build" / "frontend")

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(SITE)
        if not name:
            return route.fulfill(body=_HTML, content_type="text/html")
        return route.fulfill(path=next(place / name for place in places if (place / name).exists()))

    page.route(f"{SITE}**", answer)
    page.goto(SITE)
    page.wait_for_function("window.ready")
    return page


def measure(browser: Browser, page: Page, script: str, argument: dict[str, Any]) -> Busy:
    """Run the script and read from Chromium's own trace what its tasks took."""
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline", "__metadata"])
    page.evaluate(script, argument)
    times = list(_tasks(json.loads(browser.stop_tracing())["traceEvents"]))
    line = page.context.new_cdp_session(page)
    line.send("HeapProfiler.collectGarbage")
    heap = line.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    line.detach()
    return Busy(longest=max(times, default=0.0), over=sum(time > 50 for time in times), heap=heap)


def _tasks(events: list[dict[str, Any]]) -> Iterator[float]:
    """Processor time in ms of every task of the main thread of the page."""
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        if event["name"] == "RunTask" and (event["pid"], event["tid"]) in mains:
            yield event.get("tdur", event.get("dur", 0)) / 1000


def _tell(name: str, busy: Busy) -> None:
    print(f"{name:44} {busy.longest:16.0f} {busy.over:10} {busy.heap:10.1f}", flush=True)
