"""/v1 against its own description: schemathesis makes calls up from the document, right and wrong (contract, C29).

Never a 5xx, a hang, a dead worker, or a charge for what was refused; what the document calls wrong is refused, and
every answer looks as described. CI asks a few of each operation, `make faults` ten thousand in all.
"""

from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from django.db import connection
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import negative_data_rejection, response_schema_conformance

from accounts.models import User
from accounts.services import create_api_key
from gateway.errors import RequestTooLarge
from quotas.models import Allowance
from quotas.selectors import find_differences
from quotas.services import set_quota
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import IS_LONG, how_many, report
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

CASES = how_many(54, 10_000)
# What a form cannot say: every field of it is a text, so a number written as a text is right.
_FORMS = "/v1/images/edits"
# Models that answer: a made-up name is refused before anything else is looked at.
MODELS = {
    "/v1/chat/completions": "good",
    "/v1/responses": "good",
    "/v1/images/generations": "image-streams",
    "/v1/images/edits": "image-streams",
    "/v1/embeddings": "embed-good",
    "/v1/moderations": "moderate-good",
}

pytestmark = [pytest.mark.both_databases] if IS_LONG else []


def test_c29_v1_does_what_its_description_says_whatever_is_asked(
    server: Server, offered: FakeUpstream, sara: User
) -> None:
    set_quota(limit=1_000_000)
    _, key = create_api_key(user_id=sara.id, name="contract")
    children = list_children(server)
    problems: list[str] = []
    statuses: list[int] = []

    with httpx2.Client(headers={"authorization": f"Bearer {key}"}, base_url=server.address, timeout=60) as web:
        schema = schemathesis.openapi.from_dict(name_models(web.get("/v1/openapi.json").json()))
        operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        for operation in operations:
            try:
                ask(operation, web, -(-CASES // len(operations)), statuses)
            except (FailureGroup, AssertionError) as failure:
                problems.append(f"{operation.method.upper()} {operation.path}: {tell(failure)[:2000]}")

    assert problems == []
    assert len(statuses) >= CASES
    assert (server.process.poll(), list_children(server)) == (None, children)
    assert "Traceback" not in server.log.read_text()
    charged = UsageRecord.objects.aggregate(prompts=Sum("prompts"))["prompts"]
    assert not UsageRecord.objects.exclude(outcome=Outcome.SERVED).filter(prompts__gt=0).exists()
    assert Allowance.objects.aggregate(used=Sum("used"), held=Sum("held")) == {"used": charged, "held": 0}
    assert find_differences() == []
    seen = {status: statuses.count(status) for status in sorted(set(statuses))}
    report(f"{len(statuses)} calls made up from the description, {connection.vendor}", str(seen))


def name_models(document: dict[str, Any]) -> dict[str, Any]:
    for path, name in MODELS.items():
        [content] = document["paths"][path]["post"]["requestBody"]["content"].values()
        content["schema"]["properties"]["model"] = {"enum": [name]}
    return document


def tell(failure: BaseException) -> str:
    return " | ".join(map(str, failure.exceptions)) if isinstance(failure, FailureGroup) else str(failure)


def ask(operation: Any, web: httpx2.Client, most: int, statuses: list[int]) -> None:
    cases = operation.as_strategy(GenerationMode.POSITIVE)
    if operation.path != _FORMS:  # in a form with files schemathesis stumbles over what is wrong
        cases |= operation.as_strategy(GenerationMode.NEGATIVE)

    @given(case=cases)
    @settings(
        max_examples=most,
        deadline=None,
        derandomize=not IS_LONG,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask_once(case: Any) -> None:
        response: Response = case.call(base_url=str(web.base_url), headers=dict(web.headers))
        statuses.append(response.status_code)
        checks = [not_a_server_error, response_schema_conformance]
        if operation.path != _FORMS and response.status_code != RequestTooLarge.status:  # it does not know 413
            checks.append(negative_data_rejection)
        case.validate_response(response, checks=checks)

    ask_once()


def list_children(server: Server) -> str:
    return Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
