"""What answers before any page does."""

import urllib.request

import pytest
from playwright.sync_api import Page, expect


@pytest.mark.both_databases
def test_a_probe_hears_that_the_process_is_alive(site: str) -> None:
    with urllib.request.urlopen(f"{site}/healthz") as answer:
        assert (answer.status, answer.read()) == (200, b"alive\n")


@pytest.mark.browser
def test_a_stranger_is_led_to_the_sign_in_page(site: str, page: Page) -> None:
    page.goto(f"{site}/accounts/login/")
    expect(page.locator("input[name=password]")).to_be_visible()
