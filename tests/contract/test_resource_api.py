"""The resource API against its own description: schemathesis makes requests up from the document, right and wrong.

Whatever comes, no answer is a 5xx, every error has the envelope, and what is answered is what was described. CI asks a
few of each operation; `RESOURCE_API_CASES=10000` (`make faults` sets it) asks so many in all.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from accounts.models import User
from accounts.services import create_api_key
from core.limiter import forget_attempts
from gateway.services import sync_catalog
from policies.selectors import list_current
from policies.services import acknowledge
from quotas.services import install_default_quota

CASES = int(os.environ.get("RESOURCE_API_CASES", "0"))
FEW = 6  # cases of each operation in CI


@pytest.fixture
def one_connection() -> Iterator[None]:
    """A request of the real handler would close the connection, and with it the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(one_connection: None, root: User, sara: User, clauses: None) -> dict[str, str]:
    """An administrator's key: who gets furthest."""
    install_default_quota()
    sync_catalog()
    acknowledge(user_id=root.pk, version_id=list_current().get().pk, language="en")
    _key, secret = create_api_key(user_id=root.pk, name="contract")
    return {"Authorization": f"Bearer {secret}"}


def test_the_api_does_what_its_description_says_whatever_is_asked(headers: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/schema/", WSGIHandler(), headers=headers)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    most = -(-CASES // len(operations)) if CASES else FEW
    asked, problems = 0, []
    for operation in operations:
        try:
            asked += _ask(operation, headers, most)
        except (FailureGroup, AssertionError) as failure:
            problems.append(f"{operation.method.upper()} {operation.path}: {_told(failure)}")
    assert problems == []
    assert len(operations) >= 50
    assert asked >= CASES


def _told(failure: BaseException) -> str:
    return " | ".join(map(str, failure.exceptions)) if isinstance(failure, FailureGroup) else str(failure)


def _ask(operation: Any, headers: dict[str, str], most: int) -> int:
    """Ask one operation `most` things; how many were asked."""
    asked = 0

    @given(case=operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE))
    @settings(
        max_examples=most,
        deadline=None,
        derandomize=not CASES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        forget_attempts()
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/json"], case.as_curl_command()
            assert {"code", "message"} <= response.json()["error"].keys(), case.as_curl_command()

    call: Callable[[], None] = ask
    call()
    return asked


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("people", "department"),
        ("courses", "department"),
        ("enrollments", "course"),
        ("enrollments", "person"),
        ("quotas", "department"),
        ("quotas", "course"),
        ("quotas", "person"),
        ("grants", "person"),
        ("requests", "course"),
        ("pools", "course"),
    ],
)
def test_nobody_and_nothing_has_a_name_that_postgresql_cannot_look_for(
    client: Client, root: User, path: str, field: str
) -> None:
    client.force_login(root)
    answer = client.post(f"/api/{path}/", {field: "a\0b"}, "application/json")
    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]
