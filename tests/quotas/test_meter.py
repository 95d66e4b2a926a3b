"""The tally on every page: what is left, in strokes and in words."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from core.types import Operation
from quotas import services
from quotas.types import Period, Unit
from tests.quotas.conftest import Travel, reserve, use


@pytest.fixture
def sara_at(client: Client, sara: User, travel: Travel) -> Client:
    """Sara's browser, on 22 November."""
    travel(datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    client.force_login(sara)
    return client


def meter(client: Client) -> str:
    fragment = client.get("/usage/meter/").content.decode()
    return " ".join(fragment.partition('<a class="chip"')[0].split())


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_meter_tells_what_is_left_held_and_when_new_ones_come(sara_at: Client, sara: User) -> None:
    for _ in range(7):
        use(sara)
    reserve(sara)
    html = meter(sara_at)
    assert words(html) == "12 of 20 prompts left 1 held new on 1 Dec"
    assert (html.count('data-is="used"'), html.count('data-is="held"'), html.count('data-is="left"')) == (7, 1, 12)
    assert 'role="meter"' in html
    assert 'aria-valuenow="12"' in html
    assert 'aria-valuetext="12 of 20 prompts left, 1 held. New on 1 December 2026."' in html


def test_the_meter_stands_on_every_page_and_fetches_itself(sara_at: Client) -> None:
    html = sara_at.get("/usage/").content.decode()
    assert html.count('id="quota-meter"') == 1
    assert 'hx-get="/usage/meter/"' in html
    assert 'hx-trigger="quota-changed from:body"' in html


def test_more_than_forty_units_are_a_bar(sara_at: Client, sara: User) -> None:
    services.set_quota(limit=200)
    use(sara, prompts=50)
    html = meter(sara_at)
    assert "<i data-is" not in html
    assert 'class="left" x="25.0%" y="20%" width="75.0%"' in html


def test_of_several_quotas_the_one_nearest_its_end_is_shown(sara_at: Client, sara: User) -> None:
    services.set_quota(limit=4, scope=Operation.IMAGE, period=Period.DAY)
    use(sara, operation=Operation.IMAGE, prompts=3)
    assert words(meter(sara_at)) == "1 of 4 prompts left new on 23 Nov Image"


def test_an_unmetered_person_reads_words_instead(sara_at: Client, sara: User) -> None:
    services.set_quota(limit=None)
    use(sara, prompts=3)
    html = meter(sara_at)
    assert words(html) == "3 prompts used no limit"
    assert 'role="meter"' not in html


def test_a_lowered_limit_shows_nothing_left_and_no_stroke_too_many(sara_at: Client, sara: User) -> None:
    use(sara, prompts=8)
    services.set_quota(limit=5)
    html = meter(sara_at)
    assert words(html).startswith("0 of 5 prompts left")
    assert html.count("<i data-is") == 5


def test_tokens_are_a_bar_with_separated_thousands(sara_at: Client, sara: User) -> None:
    services.set_quota(limit=None)
    services.set_quota(limit=500_000, unit=Unit.TOKENS)
    assert "500,000 of 500,000 tokens left" in words(meter(sara_at))


def test_the_meter_costs_two_queries(sara_at: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2 + 2):  # and the session and its person
        sara_at.get("/usage/meter/")


def test_nobody_else_reads_a_meter(client: Client, db: None) -> None:
    assert client.get("/usage/meter/").status_code == 302


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_meter_mends_itself_when_the_page_says_so(page: Page, site: str, sara: User, client: Client) -> None:
    client.force_login(sara)
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page.goto(f"{site}/usage/")
    meter = page.locator("#quota-meter")
    expect(meter).to_contain_text("20 of 20 prompts left")
    use(sara)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('quota-changed', {bubbles: true}))")
    expect(meter).to_contain_text("19 of 20 prompts left")
    expect(meter.get_by_role("meter")).to_have_attribute("aria-valuenow", "19")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("header.top .chip")).to_have_text("19 left")
