"""Usage as pages and as CSV: one's own, and everyone's for administrators."""

import csv
from datetime import UTC, datetime

import pytest
from django.conf import LazySettings
from django.forms import Select
from django.test import AsyncClient, Client
from pytest_django.asserts import assertHTMLEqual

from accounts.models import User
from core.forms import LongSelect
from core.types import Operation, Via
from tests.usage.test_record_usage import record
from usage import views
from usage.types import Outcome

ALL = "/manage/usage/"


@pytest.fixture(autouse=True)
def _no_group_is_small(settings: LazySettings) -> None:
    """Two people use something here; tests/usage/test_small_groups.py is about hiding."""
    settings.SMALLEST_GROUP = 0


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def three_calls(sara: User, omar: User) -> None:
    record(sara, started_at=datetime(2026, 11, 20, 4, 0, tzinfo=UTC), model="big", prompts=2)
    record(sara, started_at=datetime(2026, 11, 21, 4, 0, tzinfo=UTC), operation=Operation.IMAGE)
    record(omar, started_at=datetime(2026, 11, 21, 5, 0, tzinfo=UTC), via=Via.API, outcome=Outcome.REFUSED, prompts=0)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))


@pytest.mark.parametrize(("address", "usual"), [(ALL, "day"), ("/usage/models/", "week")])
def test_the_first_choice_is_what_an_untouched_form_shows(admin: Client, address: str, usual: str) -> None:
    form = admin.get(address).context["form"]
    assert (form.fields["by"].choices[0][0], form.group) == (usual, usual)


@pytest.mark.parametrize("language", ["en", "zh-hant", "zh-hans"])
def test_large_figures_are_grouped_by_thousands_in_every_language(admin: Client, root: User, language: str) -> None:
    record(root, prompts=1_234_567)
    page = admin.get("/usage/models/", headers={"accept-language": language})
    assert '<td class="number">1,234,567</td>' in page.text


@pytest.mark.usefixtures("three_calls")
def test_the_table_groups_filters_and_totals(admin: Client) -> None:
    response = admin.get(ALL, {"by": "user", "first_day": "2026-11-20", "last_day": "2026-11-22"})
    html = response.content.decode()
    assert [row.label for row in response.context["page"]] == ["Sara Chan", "Omar Lee"]
    assert response.context["total"].prompts == 3
    assert "In all" in html


@pytest.mark.usefixtures("three_calls")
@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ({}, 3),
        ({"person": "sara@example.edu"}, 2),
        ({"model": "big"}, 1),
        ({"operation": "image"}, 1),
        ({"outcome": "refused"}, 1),
        ({"via": "api"}, 1),
        ({"role": "instructor"}, 0),
        ({"first_day": "2026-11-21"}, 2),
        ({"last_day": "2026-11-20"}, 1),
    ],
)
def test_every_filter_narrows(admin: Client, query: dict[str, str], calls: int) -> None:
    for page in (ALL, f"{ALL}calls/"):
        assert admin.get(page, query).context["total"].calls == calls


@pytest.mark.usefixtures("three_calls")
@pytest.mark.parametrize("by", ["day", "week", "month", "user", "department", "course", "model", "operation", "via"])
def test_the_csv_is_the_table(admin: Client, by: str) -> None:
    shown = admin.get(ALL, {"by": by, "sort": "-prompts"}).context
    *lines, total = rows(admin.get("/manage/usage.csv", {"by": by, "sort": "-prompts"}).content.decode())
    assert [(next(iter(line.values())), line["Prompts"]) for line in lines] == [
        (row.label, str(row.total.prompts)) for row in shown["page"]
    ]
    assert (total["Calls"], total["Prompts"]) == ("3", "3")


@pytest.mark.usefixtures("three_calls")
def test_a_column_sorts_both_ways(admin: Client) -> None:
    def labels(sort: str) -> list[str]:
        return [row.label for row in admin.get(ALL, {"by": "user", "sort": sort}).context["page"]]

    assert labels("-prompts") == labels("-key") == ["Sara Chan", "Omar Lee"]
    assert labels("prompts") == labels("key") == ["Omar Lee", "Sara Chan"]


@pytest.mark.usefixtures("three_calls")
def test_calls_turn_pages_by_key(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE", 2)
    first = admin.get(f"{ALL}calls/").context
    assert [call.started_at.hour for call in first["records"]] == [5, 4]
    second = admin.get(f"{ALL}calls/", {"after": first["last"].pk}).context
    assert [call.started_at.day for call in second["records"]] == [20]
    assert second["last"] is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("three_calls")
async def test_the_csv_of_calls_streams_every_page(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "CSV_CHUNK", 2)
    client = AsyncClient()
    await client.aforce_login(root)
    response = await client.get("/manage/usage/calls.csv", {"last_day": "2026-11-21"})
    parts = [part.decode() async for part in response]  # type: ignore[attr-defined]
    lines = rows("".join(parts))
    assert [(line["Person"], line["AI model"]) for line in lines] == [
        ("omar@example.edu", "smollm2"),
        ("sara@example.edu", "smollm2"),
        ("sara@example.edu", "big"),
    ]
    assert lines[2]["Time"] == "2026-11-20T12:00:00+08:00"


@pytest.mark.parametrize(
    "query",
    [
        {"person": "nobody@example.edu"},
        {"person": "not an address"},
        {"department": "x"},
        {"by": "moon"},
        {"split": "moon"},
        {"measure": "moon"},
        {"sort": "password"},
        {"first_day": "2026-02-30"},
        {"first_day": "2026-11-22", "last_day": "2026-11-21"},
        {"outcome": "x"},
    ],
    ids=str,
)
def test_a_filter_that_means_nothing_is_told_and_shows_no_numbers(admin: Client, query: dict[str, str]) -> None:
    for page in (ALL, f"{ALL}calls/"):
        response = admin.get(page, query)
        assert response.status_code == 400
        assert "In all" not in response.content.decode()
    assert admin.get("/manage/usage.csv", query, headers={"accept": "application/json"}).status_code == 400


@pytest.mark.parametrize("page", [ALL, "/manage/usage.csv", f"{ALL}calls/", f"{ALL}calls.csv"])
@pytest.mark.parametrize("person", ["sara", "ines"])
def test_everyones_usage_is_for_administrators_only(
    client: Client, page: str, person: str, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(page).status_code == 403


@pytest.mark.usefixtures("three_calls")
def test_my_own_use_by_model_is_mine_alone(client: Client, omar: User) -> None:
    client.force_login(omar)
    html = client.get("/usage/models/", {"by": "model"}).content.decode()
    assert "smollm2" in html
    assert "big" not in html.split("<main")[1]


@pytest.mark.usefixtures("three_calls")
def test_the_csv_of_my_own_use_is_the_table_and_mine_alone(client: Client, sara: User, omar: User) -> None:
    client.force_login(sara)
    query = {"by": "day", "split": "model", "person": omar.email, "user_id": str(omar.pk)}
    *lines, total = rows(client.get("/usage/models.csv", query).content.decode())
    assert [line["big"] for line in lines] == ["0", "2"]
    assert [line["smollm2"] for line in lines] == ["1", "0"]
    assert total == {"Day": "In all", "big": "2", "smollm2": "1", "In all": "3"}


@pytest.mark.usefixtures("three_calls")
def test_the_picture_has_the_numbers_of_the_table_and_the_days_without_use(admin: Client) -> None:
    query = {"first_day": "2026-11-18", "last_day": "2026-11-21", "split": "operation", "measure": "calls"}
    report = admin.get(ALL, query).context["report"]
    assert report.picture.labels == ["18 Nov", "19 Nov", "20 Nov", "21 Nov"]
    assert report.picture.series == [("Chat", [0, 0, 1, 1]), ("Image", [0, 0, 0, 1])]
    assert [(row.label, row.parts) for row in report.rows] == [
        ("21 November 2026", (1, 1)),
        ("20 November 2026", (1, 0)),
    ]


@pytest.mark.usefixtures("three_calls")
def test_the_trend_compares_with_as_many_days_before(admin: Client) -> None:
    trend = admin.get(ALL, {"first_day": "2026-11-21", "last_day": "2026-11-21"}).context["trend"]
    prompts, calls = trend[0], trend[1]
    assert (prompts["now"], prompts["before"], prompts["change"]) == (1, 2, -50)
    assert (calls["now"], calls["before"], calls["change"]) == (2, 1, 100)
    assert admin.get(ALL).context["trend"] == []


def test_who_looked_says_that_nobody_did(client: Client, sara: User) -> None:
    client.force_login(sara)
    assert "Nobody has looked" in client.get("/usage/who-looked/").content.decode()


def test_a_long_select_is_written_as_django_writes_a_short_one() -> None:
    choices = [("", "All"), ("A", "Arts & <b>"), ("B", "Business")]
    attrs = {"id": "id_course", "class": "input", "required": True}
    ours = LongSelect(choices=choices).render("course", "B", attrs)
    assertHTMLEqual(ours, Select(choices=choices).render("course", "B", attrs))
