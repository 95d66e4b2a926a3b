"""The statement: every movement of a month, like a bank's."""

import csv
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from core import clock
from quotas import services
from quotas.statement import read_statement
from quotas.types import Period, Unit
from tests.quotas.conftest import Travel, principal, reserve, use

NOVEMBER = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def month(sara: User, ines: User, travel: Travel) -> User:
    """Sara's November: a used prompt, a failed one, one given back, a grant, one on its way."""
    travel(datetime(2026, 11, 19, 1, 12, tzinfo=UTC))
    use(sara)
    services.grant(user_id=sara.pk, amount=3, reason="lab 8", by_id=ines.pk)
    travel(datetime(2026, 11, 21, 13, 38, tzinfo=UTC))
    services.release(call_id=reserve(sara).call_id)
    broken = reserve(sara).call_id
    services.dispatch(call_id=broken)
    services.settle(call_id=broken)
    services.reverse(call_id=broken)
    travel(NOVEMBER)
    services.dispatch(call_id=reserve(sara).call_id)
    return sara


def test_the_lines_are_what_happened_the_newest_first(month: User) -> None:
    statement = read_statement(principal(month), month=datetime(2026, 11, 1, tzinfo=UTC).date())
    assert [(line.what, line.used, line.held, line.granted, line.left) for line in statement.lines] == [
        ("Answer on its way, smollm2", None, 1, None, 21),
        ("Given back: the provider failed mid-answer", -1, None, None, 22),
        ("Chat, smollm2", 1, None, None, 21),
        ("Not charged: no answer came from smollm2", None, None, None, 22),
        ("Grant by Ines Wong: “lab 8”", None, None, 3, 22),
        ("Chat, smollm2", 1, None, None, 19),
    ]
    assert (statement.used, statement.standing.used) == (1, 1)
    assert [day.day for day, _rules, _lines in statement.days] == [22, 21, 19]


def test_the_page_shows_the_figure_the_lines_and_the_way_to_other_months(client: Client, month: User) -> None:
    client.force_login(month)
    html = client.get("/usage/").content.decode()
    for words in ("My use in November 2026", "21 left", "until Tuesday 1 December 2026, 00:00", "Ines Wong", "lab 8"):
        assert words in html
    assert "month=2026-10" in html
    assert "month=2026-12" not in html


def test_where_several_purses_moved_each_line_says_whose_rest_it_shows(client: Client, sara: User) -> None:
    use(sara)
    client.force_login(sara)
    assert "the period&#x27;s" not in client.get("/usage/").content.decode()
    end = clock.now() + timedelta(days=3)
    services.grant(user_id=sara.pk, amount=30, reason="lab 8", by_id=None, expires_at=end)
    page = " ".join(client.get("/usage/").content.decode().split())
    assert '<td class="number">30<br><span class="soft small">granted</span></td>' in page
    assert '<td class="number">19<br><span class="soft small">the period&#x27;s</span></td>' in page


def test_an_earlier_month_shows_its_own_figures(client: Client, month: User, travel: Travel) -> None:
    travel(datetime(2026, 12, 2, 4, 0, tzinfo=UTC))
    services.set_quota(limit=50)
    client.force_login(month)
    assert "50 left" in client.get("/usage/").content.decode()
    html = client.get("/usage/?month=2026-11").content.decode()
    assert "21 left" in html
    assert "of 23 prompts" in html
    assert "month=2026-12" in html


def test_a_call_over_midnight_stays_in_the_month_of_its_admission(sara: User, travel: Travel) -> None:
    travel(datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC))
    call_id = reserve(sara).call_id
    services.dispatch(call_id=call_id)
    travel(datetime(2026, 11, 30, 16, 0, 5, tzinfo=UTC))
    services.settle(call_id=call_id)
    november, december = (
        read_statement(principal(sara), month=datetime(2026, month, 1, tzinfo=UTC).date()) for month in (11, 12)
    )
    assert (november.used, december.used) == (1, 0)


def test_the_csv_is_exactly_what_is_shown(client: Client, month: User) -> None:
    client.force_login(month)
    response = client.get("/usage/statement.csv?month=2026-11")
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert [(row["What"], row["Used"], row["Left"]) for row in rows][:2] == [
        ("Answer on its way, smollm2", "", "21"),
        ("Given back: the provider failed mid-answer", "-1", "22"),
    ]
    assert rows[0]["Time"] == "2026-11-22T12:00:00+08:00"


def test_a_formula_in_a_reason_stays_text(client: Client, sara: User) -> None:
    services.grant(user_id=sara.pk, amount=1, reason="=1+1", by_id=None)
    client.force_login(sara)
    use(sara, model="=cmd")
    text = client.get("/usage/statement.csv").content.decode()
    assert "\n=" not in text
    assert ",=" not in text


def test_another_quota_is_chosen_by_its_address(client: Client, sara: User) -> None:
    services.set_quota(limit=1000, unit=Unit.TOKENS, period=Period.WEEK)
    client.force_login(sara)
    html = client.get("/usage/?unit=tokens&period=week&scope=").content.decode()
    assert "of 1,000 tokens" in html


@pytest.mark.parametrize("query", ["month=2026-13", "month=hello", "month=1970-01", "unit=gold", "month=2026-11%00"])
def test_an_address_that_means_nothing_is_refused_with_a_sentence(client: Client, sara: User, query: str) -> None:
    client.force_login(sara)
    for page in ("/usage/", "/usage/statement.csv"):
        response = client.get(f"{page}?{query}", headers={"accept": "application/json"})
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_request"


def test_nobody_reads_anothers_statement(client: Client, month: User, omar: User) -> None:
    client.force_login(omar)
    assert "smollm2" not in client.get("/usage/").content.decode()
    client.logout()
    assert client.get("/usage/").status_code == 302
