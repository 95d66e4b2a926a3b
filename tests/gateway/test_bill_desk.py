"""A provider's bill beside the records of the database: the page, the command, and which calls are asked for."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from accounts.models import User
from core.types import Operation
from gateway.bill import read_bill
from gateway.comparing import Verdict
from gateway.models import Model, Upstream
from gateway.selectors import compare_with_bill
from gateway.services import create_model, create_provider
from tests.usage.test_record_usage import record
from usage.models import UsageRecord
from usage.selectors import list_calls_at
from usage.types import CallsOfDay, Outcome, Totals, UsageSource

PAGE = "/manage/usage/bill/"
DAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
HEAD = "day,model,requests,input_tokens,output_tokens\n"
EQUAL = HEAD + "2026-11-30,gpt-4o-mini-2024-07-18,1,12,34\n"
NOTHING = Totals()


@pytest.fixture
def east(db: None) -> Upstream:
    provider = create_provider(
        columns={"name": "The East", "slug": "east", "kind": "compatible"},
        address={"name": "east", "base_url": "https://east.example/v1"},
        secret="",
    )
    return provider.upstreams.get()


@pytest.fixture
def house(east: Upstream) -> Model:
    return create_model(
        columns={"name": "house", "label": "House", "context_tokens": 1000},
        routes=[{"upstream": east, "upstream_name": "gpt-4o-mini"}],
    )


@pytest.fixture
def desk(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def called(user: User, **changes: Any) -> None:
    record(user, **({"model": "house", "provider": "east", "started_at": NOON} | changes))


def send(desk: Client, content: str | bytes, provider: str = "east", **more: Any) -> Any:
    body = content.encode() if isinstance(content, str) else content
    return desk.post(PAGE, {"provider": provider, "file": SimpleUploadedFile("bill.csv", body)}, **more)


# ---- which calls -----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_days_calls_are_summed_up_by_model_and_how_they_ended(sara: User, omar: User) -> None:
    called(sara)
    called(omar)
    called(sara, outcome=Outcome.CLIENT_LEFT, totals=Totals(5, 6, source=UsageSource.ESTIMATED))
    called(sara, outcome=Outcome.UPSTREAM_FAILED, code="upstream_error", totals=NOTHING)
    called(sara, model="pictures", operation=Operation.IMAGE, totals=Totals(images=2))
    found = list_calls_at("east", first_day=DAY, last_day=DAY)
    assert sorted(found) == sorted(
        [
            CallsOfDay(DAY, "house", "east", "chat", "served", "reported", 2, 24, 68, 0),
            CallsOfDay(DAY, "house", "east", "chat", "client_left", "estimated", 1, 5, 6, 0),
            CallsOfDay(DAY, "house", "east", "chat", "upstream_failed", "none", 1, 0, 0, 0),
            CallsOfDay(DAY, "pictures", "east", "image", "served", "none", 1, 0, 0, 2),
        ]
    )


@pytest.mark.both_databases
def test_only_calls_that_went_there_or_may_have_are_asked_for(sara: User) -> None:
    called(sara, provider="west")
    called(sara, provider="", outcome=Outcome.REFUSED, code="quota", totals=NOTHING)
    called(sara, outcome=Outcome.LOST, code="abandoned", totals=NOTHING)
    called(sara, provider="", outcome=Outcome.LOST, code="swept", totals=NOTHING)
    called(sara, outcome=Outcome.LOST, code="Restarting", totals=NOTHING)
    found = list_calls_at("east", first_day=DAY, last_day=DAY)
    assert {(calls.provider, calls.outcome, calls.calls) for calls in found} == {("", "lost", 1), ("east", "lost", 1)}


@pytest.mark.both_databases
def test_days_are_those_of_utc_whatever_the_zone_of_the_university(sara: User) -> None:
    begin = datetime(2026, 11, 30, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    for at in (begin - moment, begin, begin + timedelta(days=1) - moment, begin + timedelta(days=1)):
        called(sara, started_at=at)
    found = list_calls_at("east", first_day=DAY, last_day=DAY)
    assert [(calls.day, calls.calls) for calls in found] == [(DAY, 2)]
    found = list_calls_at("east", first_day=DAY - timedelta(days=1), last_day=DAY + timedelta(days=1))
    assert sorted((calls.day.day, calls.calls) for calls in found) == [(1, 1), (29, 1), (30, 2)]


def test_the_calls_take_one_query_that_walks_the_index_by_time(sara: User) -> None:
    with CaptureQueriesContext(connection) as asked:
        list_calls_at("east", first_day=DAY, last_day=DAY)
    [query] = asked.captured_queries
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            assert "usage_by_time" in str(cursor.fetchall())


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_the_catalog_says_what_a_provider_calls_our_models(sara: User, east: Upstream) -> None:
    called(sara)
    [row] = compare_with_bill(read_bill(EQUAL.encode()), "east")
    assert (row.models, row.verdict) == (("house",), Verdict.AGREES)
    [row] = compare_with_bill(read_bill(EQUAL.encode()), "west")
    assert row.verdict == Verdict.UNKNOWN, "at another provider nobody has it"


def test_a_retired_model_is_billed_under_the_name_of_its_stand_in(sara: User, east: Upstream, house: Model) -> None:
    routes = [{"upstream": east, "upstream_name": "gpt-3.5"}]
    columns = {"name": "old", "label": "Old", "fallback": house, "retires_on": date(2026, 1, 1)}
    create_model(columns=columns, routes=routes)
    called(sara, model="old")
    [row] = compare_with_bill(read_bill(EQUAL.encode()), "east")
    assert (row.models, row.verdict) == (("house", "old"), Verdict.AGREES)


# ---- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_what_is_equal_is_said_to_be(desk: Client, sara: User) -> None:
    called(sara)
    answer = send(desk, EQUAL)
    assert answer.status_code == 200
    assert "Everything is equal, or explained by open calls." in answer.text
    assert '<span class="badge" data-tone="ok">agrees</span>' in answer.text


@pytest.mark.both_databases
@pytest.mark.usefixtures("house")
def test_a_difference_is_named_with_its_calls_of_the_days_it_touches(desk: Client, sara: User) -> None:
    called(sara)
    called(sara, outcome=Outcome.LOST, code="Restarting", totals=NOTHING)
    answer = send(desk, HEAD + "2026-11-30,gpt-4o-mini,1003,12,34\n2026-11-30,o3,1,2,3\n")
    assert "2 rows differ by more than open calls explain." in answer.text
    assert '<span class="badge" data-tone="bad">differs</span>' in answer.text
    assert '<span class="badge" data-tone="bad">not configured here</span>' in answer.text
    # In Hong Kong the 30th of UTC begins at eight and ends on the 1st.
    calls = "/manage/usage/calls/?first_day=2026-11-30&last_day=2026-12-01&model=house"
    assert escape(calls) + '"' in answer.text
    assert f'<a href="{escape(calls + "&outcome=lost")}">1 lost</a>' in answer.text
    assert '<td class="number">+1,002</td>' in answer.text
    assert [figure.billed for figure in answer.context["totals"]] == [1004, 14, 37]
    assert desk.get(calls + "&outcome=lost").context["total"].calls == 1


@pytest.mark.usefixtures("house")
def test_nothing_of_the_file_is_kept(desk: Client, sara: User) -> None:
    called(sara)
    with CaptureQueriesContext(connection) as asked:
        send(desk, EQUAL)
    writes = [query["sql"] for query in asked if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert [sql for sql in writes if "session" not in sql] == []


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + "2026-11-30,m,-1,2,3\n", "Line 2, requests: “-1” is no count."),
        (HEAD + "2026-11-30,m,1e308,NaN,3\n", "Line 2, input_tokens: “NaN” is no count."),
        ("day,model\n", "Line 1, requests: This column is missing."),
        (b"", "Line 1, day: This column is missing."),
        (b"\xff\xfe", "The file is not UTF-8."),
        (b"0" * 5_000_001, "The file is larger than 5 MB."),
        (b"[" * 100_000, "This is no page of the Usage API"),
    ],
)
def test_a_bad_file_is_answered_with_the_place_and_the_form(desk: Client, content: str | bytes, said: str) -> None:
    answer = send(desk, content)
    assert answer.status_code == 400
    assert said in answer.text
    assert 'name="file"' in answer.text


def test_an_error_is_told_in_the_readers_language(desk: Client, house: Model) -> None:
    answer = send(desk, HEAD + "2026-11-30,m,-1,2,3\n", headers={"accept-language": "zh-hant"})
    assert "第 2 行" in answer.text
    assert "不是數量" in answer.text


def test_markup_in_a_name_stays_text(desk: Client, house: Model) -> None:
    answer = send(desk, HEAD + "2026-11-30,<script>x</script>,1,2,3\n")
    assert "&lt;script&gt;x&lt;/script&gt;" in answer.text
    assert "<script>x" not in answer.text


@pytest.mark.parametrize("sent", [{"provider": "nobody"}, {"provider": "east"}, {"provider": "a\x00b"}])
def test_a_form_without_file_or_provider_is_shown_again(desk: Client, house: Model, sent: dict[str, str]) -> None:
    assert desk.post(PAGE, sent).status_code == 400


@pytest.mark.usefixtures("house")
def test_only_administrators_may_compare(client: Client, ines: User) -> None:
    client.force_login(ines)
    assert client.get(PAGE).status_code == 403
    assert send(client, EQUAL).status_code == 403


def test_the_single_calls_lead_there_and_the_lost_ones_say_why(desk: Client) -> None:
    assert f'href="{PAGE}"' in desk.get("/manage/usage/calls/").text
    assert "A provider may charge for a lost call." not in desk.get("/manage/usage/calls/").text
    assert "A provider may charge for a lost call." in desk.get("/manage/usage/calls/?outcome=lost").text


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bill.csv"


def command(file: Path, content: str, *more: str) -> int:
    file.write_text(content)
    try:
        call_command("compare_with_bill", str(file), "--provider", "east", *more)
    except CommandError as error:
        return int(error.returncode)
    return 0


@pytest.mark.usefixtures("house")
def test_the_command_ends_with_0_1_or_2(sara: User, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(sara)
    assert command(file, EQUAL) == 0
    assert "2026-11-30  house  agrees: requests 1, ours 1 (+0)" in capsys.readouterr().out
    more = EQUAL.replace(",1,12,34", ",2,12,34")
    assert command(file, more) == 1
    called(sara, outcome=Outcome.UPSTREAM_FAILED, totals=NOTHING)
    assert command(file, more) == 0, "a failed call may have been billed"
    assert "1 failed" in capsys.readouterr().out
    assert command(file, EQUAL + "2026-11-30,o3,1,2,3\n") == 1
    assert command(file, "nothing") == 2


@pytest.mark.usefixtures("house")
def test_the_command_names_what_is_wrong_with_the_file_and_the_provider(file: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file") as refused:
        call_command("compare_with_bill", str(file), "--provider", "east")
    assert refused.value.returncode == 2
    file.write_text(HEAD + "2026-11-30,m,-1,2,3\n")
    with pytest.raises(CommandError, match="Line 2, requests: “-1” is no count"):
        call_command("compare_with_bill", str(file), "--provider", "east")
    with pytest.raises(CommandError, match="no provider “west”; there are east") as refused:
        call_command("compare_with_bill", str(file), "--provider", "west")
    assert refused.value.returncode == 2


@pytest.mark.usefixtures("house")
def test_the_command_answers_in_json(sara: User, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(sara)
    assert command(file, EQUAL, "--json") == 0
    answered = json.loads(capsys.readouterr().out)
    assert (answered["first_day"], answered["last_day"]) == ("2026-11-30", "2026-11-30")
    assert answered["totals"]["requests"] == {"billed": 1, "ours": 1, "difference": 0}
    [row] = answered["rows"]
    assert (row["day"], row["models"], row["verdict"]) == ("2026-11-30", ["house"], "agrees")
    assert row["figures"]["output_tokens"] == {"billed": 34, "ours": 34, "least": 34, "most": 34, "difference": 0}
    assert UsageRecord.objects.count() == 1
