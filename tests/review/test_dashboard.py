"""The administrators' first page: today and this month in numbers, against the days before."""

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.models import User
from core import clock
from core.templatetags.charts import scale
from review.selectors import same_days_before
from tests.usage.test_record_usage import record
from usage.types import Outcome


@pytest.fixture
def some_calls(sara: User, omar: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    record(sara, started_at=datetime(2026, 10, 5, 4, 0, tzinfo=UTC))
    record(sara, started_at=datetime(2026, 10, 30, 4, 0, tzinfo=UTC))  # after the same day of last month
    record(sara, started_at=datetime(2026, 11, 21, 4, 0, tzinfo=UTC))
    record(sara, started_at=datetime(2026, 11, 22, 1, 0, tzinfo=UTC))
    record(omar, started_at=datetime(2026, 11, 22, 2, 0, tzinfo=UTC), outcome=Outcome.REFUSED, prompts=0)
    record(omar, started_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC), outcome=Outcome.LOST, code="swept", prompts=0)


@pytest.mark.usefixtures("some_calls")
def test_today_and_the_month_stand_against_the_days_before(client: Client, root: User) -> None:
    client.force_login(root)
    context = client.get("/manage/").context
    today = {row["title"]: (row["now"], row["before"]) for row in context["today"]["rows"]}
    assert today["Active people"] == (2, 1)
    assert today["Prompts"] == (1, 1)
    assert (today["Refused calls"], today["Failed calls"], today["Lost calls"]) == ((1, 0), (0, 0), (1, 0))
    month = {row["title"]: (row["now"], row["before"], row["change"]) for row in context["month"]["rows"]}
    assert month["Prompts"] == (2, 1, 100)
    assert month["Refused calls"] == (1, 0, None)


@pytest.mark.usefixtures("some_calls")
def test_the_chart_of_days_has_its_table(client: Client, root: User) -> None:
    client.force_login(root)
    response = client.get("/manage/")
    assert [(d.day, d.answered, d.refused, d.failed, d.lost) for d in response.context["days"][:2]] == [
        (date(2026, 11, 22), 1, 1, 0, 1),
        (date(2026, 11, 21), 1, 0, 0, 0),
    ]
    assert "Busiest day of the last 30: 22 November, with 3 calls" in response.content.decode()


@pytest.mark.usefixtures("some_calls")
def test_c37_lost_calls_lead_to_what_became_of_them(client: Client, sara: User, root: User) -> None:
    record(sara, started_at=clock.now(), outcome=Outcome.UPSTREAM_FAILED, code="upstream_error", prompts=0)
    client.force_login(root)
    (page,) = {row["page"] for row in client.get("/manage/").context["today"]["rows"] if row["page"]}

    calls = client.get(page)

    assert [(call.user.name, call.code) for call in calls.context["records"]] == [("Omar Lee", "swept")]
    assert "<code>swept</code>" in calls.content.decode()


def test_a_university_without_any_use_has_a_first_page_too(client: Client, root: User) -> None:
    client.force_login(root)
    assert "No calls in the last 30 days" in client.get("/manage/").content.decode()


def test_only_administrators_come_in(client: Client, sara: User, ines: User) -> None:
    assert client.get("/manage/").status_code == 302
    for user in (sara, ines):
        client.force_login(user)
        assert client.get("/manage/").status_code == 403


@pytest.mark.parametrize(
    ("today", "before"),
    [
        (date(2026, 11, 22), (date(2026, 10, 1), date(2026, 10, 22))),
        (date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2027, 1, 1), (date(2026, 12, 1), date(2026, 12, 1))),
    ],
)
def test_a_month_so_far_is_measured_against_as_many_days(today: date, before: tuple[date, date]) -> None:
    assert same_days_before(today) == before


@pytest.mark.parametrize(
    ("most", "top", "steps"),
    [(0, 1, 1), (1, 1, 1), (4, 4, 4), (7, 8, 4), (389, 400, 4), (501, 600, 3), (10**6, 10**6, 5)],
)
def test_the_axis_is_round_whole_and_high_enough(most: int, top: int, steps: int) -> None:
    height, ticks = scale(most)
    assert (height, len(ticks) - 1, ticks[0], ticks[-1]) == (top, steps, 0, top)
