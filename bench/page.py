"""`python -m bench page`: how soon a phone shows the chat page for the first time, and how much script it loads for it.

Chromium as a phone: nothing cached, a network of 4G (150 ms, 1.6 Mbit/s: what Lighthouse calls slow 4G), a processor
four times slower. Needs the development packages and Chromium. The figures belong to this machine now.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, ViewportSize, sync_playwright

from bench import installation
from bench.processes import running

ROUNDS = 5
LATENCY = 150  # milliseconds, round trip
BITS_A_SECOND = 1_638_400
SLOWER = 4
PHONE: ViewportSize = {"width": 390, "height": 780}
# What the browser itself says of its paints.
_WATCH = """
window.paints = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.paints.push([entry.startTime, entry.element?.localName ?? ""]);
}).observe({ type: "largest-contentful-paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class View:
    """One opening of the page: milliseconds to the largest paint, and bytes on the wire by kind."""

    paint: float
    element: str
    script: int
    everything: int
    answers: int


def open_page(browser: Browser, address: str, *, cookie: str) -> View:
    """Open the page once as a phone that was never here, signed in by the session `cookie`."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, is_mobile=True, has_touch=True)
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
    context.add_init_script(_WATCH)
    page = context.new_page()
    sizes: dict[str, tuple[str, int]] = {}
    line = context.new_cdp_session(page)
    slow_down(line)
    kinds: dict[str, str] = {}
    line.on("Network.responseReceived", lambda told: kinds.update({told["requestId"]: told["type"]}))
    line.on(
        "Network.loadingFinished",
        lambda told: sizes.update(
            {told["requestId"]: (kinds.get(told["requestId"], ""), int(told["encodedDataLength"]))}
        ),
    )
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)
    paint, element = page.evaluate("window.paints.at(-1)")
    context.close()
    return View(
        paint=paint,
        element=element,
        script=sum(size for kind, size in sizes.values() if kind == "Script"),
        everything=sum(size for _kind, size in sizes.values()),
        answers=len(sizes),
    )


def chromium() -> str:
    """Where the system's Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or sys.exit("Chromium was not found: install it (Debian: apt install chromium).")


def main(options: argparse.Namespace) -> None:
    """Measure the chat page of somebody who signed in, and print one table."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        environment = installation.environment_in(Path(folder), LOCAL_MODEL="0")
        cookie = installation.sign_in(environment)
        port = int(environment["PORT"])
        serve = [sys.executable, "manage.py", "serve"]
        with running(serve, port=port, log=Path(folder) / "log", cwd=installation.ROOT, env=environment):
            rows = _rows(f"http://127.0.0.1:{port}/", cookie)
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"{name:<{width}}  {figure:>12}")


def _rows(address: str, cookie: str) -> list[tuple[str, str]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-quic"])
        views = [open_page(browser, address, cookie=cookie) for _ in range(ROUNDS + 1)][
            1:
        ]  # the first warms the server
        browser.close()
    last = views[-1]
    return [
        (f"largest paint ({last.element}), median of {ROUNDS}", f"{statistics.median(v.paint for v in views):.0f} ms"),
        (f"largest paint, the slowest of {ROUNDS}", f"{max(v.paint for v in views):.0f} ms"),
        ("scripts on the wire", f"{last.script / 1000:.1f} kB"),
        (f"everything on the wire, {last.answers} answers", f"{last.everything / 1000:.1f} kB"),
    ]


def slow_down(line: CDPSession) -> None:
    """Make of the page's network and processor those of a phone, with nothing cached."""
    line.send("Network.enable")
    line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY,
            "downloadThroughput": BITS_A_SECOND / 8,
            "uploadThroughput": BITS_A_SECOND / 16,
        },
    )
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
