"""What operators and their machines ask, and what strangers are not told."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import StringIO
from threading import Event
from unittest import mock

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client

from accounts.models import User
from config.logs import cut_address


@pytest.mark.django_db(transaction=True)
def test_ready_tells_the_operator_on_this_machine_what_it_stands_on(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "database": connection.vendor, "migrations": "all applied"},
    )


@pytest.mark.django_db(transaction=True)
def test_ready_tells_a_stranger_no_more_than_yes(client: Client) -> None:
    assert client.get("/readyz", REMOTE_ADDR="203.0.113.7").json() == {"ready": True}


@pytest.mark.django_db
def test_ready_is_503_while_the_database_is_away(client: Client) -> None:
    with mock.patch("config.health._see_database", side_effect=OperationalError("gone")):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "database": "gone"})


of_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's: test_database_outages.py")


@of_sqlite
@pytest.mark.django_db(transaction=True)
def test_ready_is_503_while_somebody_keeps_the_database_locked(client: Client) -> None:
    with closing(open_beside()) as other:
        other.execute("begin immediate")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["database"]) == (503, "database is locked")
        other.execute("rollback")
    assert client.get("/readyz").status_code == 200


@of_sqlite
@pytest.mark.django_db(transaction=True)
def test_ready_is_200_while_others_write_by_turns(client: Client, root: User) -> None:
    """Hardly a moment is left between them."""
    is_over = Event()

    def write() -> None:
        with closing(open_beside()) as other:
            while not is_over.is_set():
                other.execute("begin immediate")
                other.execute("update accounts_user set name = name || '.'")
                is_over.wait(0.05)
                other.execute("commit")

    with ThreadPoolExecutor() as beside:
        writing = beside.submit(write)
        statuses = [client.get("/readyz").status_code for _ in range(2)]
        is_over.set()
        writing.result()
    assert statuses == [200, 200]


@of_sqlite
@pytest.mark.django_db(transaction=True)
def test_ready_is_503_while_the_database_is_read_only(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", f"file:{connection.settings_dict['NAME']}?mode=ro")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "attempt to write a readonly database")


def open_beside() -> sqlite3.Connection:
    """Another connection to the test's database, whose transactions begin and end when they are told to."""
    return sqlite3.connect(connection.settings_dict["NAME"], timeout=20, isolation_level=None)


@pytest.mark.django_db
def test_metrics_are_prometheus_text(client: Client) -> None:
    assert "\ngateway_image_jobs_waiting 0.0\n" in client.get("/metrics").content.decode()


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "203.0.113.7"}, {"forwarded": "for=203.0.113.7"}])
def test_a_proxy_on_this_machine_opens_no_metrics_to_strangers(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/metrics", headers=headers).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "status"), [("Bearer the-token", 200), ("Bearer other", 403), ("", 403)])
def test_a_token_when_set_is_the_only_way_to_metrics(
    client: Client, settings: LazySettings, given: str, status: int
) -> None:
    settings.OPERATOR_TOKEN = "the-token"
    assert client.get("/metrics", headers={"authorization": given}).status_code == status


@pytest.mark.django_db(transaction=True)
def test_doctor_finds_a_well_installation_well() -> None:
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    findings = {finding["name"]: finding["is_well"] for finding in json.loads(out.getvalue())}
    assert findings == {"configuration": True, "database": True, "migrations": True, "broker": True}


@pytest.mark.django_db
def test_doctor_ends_with_code_1_when_something_fails() -> None:
    with (
        mock.patch("config.health._see_database", side_effect=OperationalError("gone")),
        pytest.raises(SystemExit) as ending,
    ):
        call_command("doctor", stdout=StringIO())
    assert ending.value.code == 1


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"BEHIND_TLS": True, "TRUSTED_PROXIES": ["10.0.0.1"]}, []),
        ({"BEHIND_TLS": True, "TRUSTED_PROXIES": []}, ["campus.E002"]),
        ({"BEHIND_TLS": True, "TRUSTED_PROXIES": ["10.0.0.1"], "DEBUG": True}, ["campus.E001"]),
        ({"WORKERS": 2, "REDIS_URL": ""}, ["campus.W001"]),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    settings: LazySettings, values: dict[str, object], found: list[str]
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert [message.id for message in run_checks() if str(message.id).startswith("campus.")] == found


def test_no_log_line_keeps_what_was_searched_for() -> None:
    line = {"event": "request_started", "request": "GET /chat/?search=my+illness"}
    assert cut_address(None, "info", line) == {"event": "request_started", "request": "GET /chat/"}
