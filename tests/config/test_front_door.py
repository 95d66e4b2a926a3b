"""What answers before any page does."""

import re
import resource
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.servers import running_server


@pytest.mark.both_databases
def test_a_probe_hears_that_the_process_is_alive(site: str) -> None:
    with urllib.request.urlopen(f"{site}/healthz") as answer:
        assert (answer.status, answer.read()) == (200, b"alive\n")


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_while_the_kernel_makes_room_for_more_files(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()

    room = re.search(r"FDSize:\s+(\d+)", status)
    assert room
    assert int(room[1]) >= min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


@pytest.mark.browser
def test_a_stranger_is_led_to_the_sign_in_page(site: str, page: Page) -> None:
    page.goto(f"{site}/accounts/login/")
    expect(page.locator("input[name=password]")).to_be_visible()
