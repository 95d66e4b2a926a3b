"""What answers before any page does."""

import http.client
import re
import resource
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.servers import running_server


@pytest.mark.both_databases
def test_a_probe_hears_that_the_process_is_alive(site: str) -> None:
    with urllib.request.urlopen(f"{site}/healthz") as answer:
        assert (answer.status, answer.read()) == (200, b"alive\n")


@pytest.mark.parametrize(
    ("path", "accepted", "told"),
    [
        ("/accounts/login/", "text/html", "The request did not arrive in time."),
        ("/accounts/login/", "application/json", '"code": "request_timeout"'),
        ("/api/courses/", "*/*", '"code": "request_timeout"'),
    ],
)
def test_a_body_that_drips_in_is_given_up(
    site: str, monkeypatch: pytest.MonkeyPatch, path: str, accepted: str, told: str
) -> None:
    monkeypatch.setattr("config.asgi._BODY_SECONDS", 0.05)
    with closing(http.client.HTTPConnection(site.removeprefix("http://"), timeout=20)) as connection:
        connection.request("POST", path, b"login=", {"content-length": "100", "accept": accepted})
        answer = connection.getresponse()

        assert answer.status == 408
        assert told in answer.read().decode()


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
