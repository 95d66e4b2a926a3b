"""What operators and their machines ask, and what strangers are not told."""

import json
from io import StringIO
from unittest import mock

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client

from config.logs import cut_address


@pytest.mark.django_db
def test_ready_tells_the_operator_on_this_machine_what_it_stands_on(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "database": connection.vendor, "migrations": "all applied"},
    )


@pytest.mark.django_db
def test_ready_tells_a_stranger_no_more_than_yes(client: Client) -> None:
    assert client.get("/readyz", REMOTE_ADDR="203.0.113.7").json() == {"ready": True}


@pytest.mark.django_db
def test_ready_is_503_while_the_database_is_away(client: Client) -> None:
    with mock.patch("config.health._see_database", side_effect=OperationalError("gone")):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "database": "gone"})


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


@pytest.mark.django_db
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
