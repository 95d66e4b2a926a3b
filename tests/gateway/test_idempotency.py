"""One Idempotency-Key, one call: what its second request is told (contract, C19)."""

from datetime import timedelta

import httpx2
import pytest

from accounts.models import User
from accounts.services import create_api_key
from core import clock
from core.ids import new_id
from gateway import idempotency
from gateway.models import IdempotencyKey
from gateway.types import Answer, Claim
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.gateway.test_duties import CHAT, code_of
from usage.models import UsageRecord

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_c19_the_same_key_and_body_get_the_first_answer_again(
    web: httpx2.Client, offered: FakeUpstream, stream: bool
) -> None:
    headers = {"idempotency-key": "homework-1"}
    first, second = (web.post("/v1/chat/completions", json={**CHAT, "stream": stream}, headers=headers) for _ in "ab")

    assert ANSWER.split()[0] in first.text
    assert second.text == first.text
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["idempotent-replayed"] == "true"
    assert len(offered.calls()) == 1
    assert UsageRecord.objects.count() == 1


def test_c19_the_same_key_with_another_body_is_refused(web: httpx2.Client) -> None:
    headers = {"idempotency-key": "homework-2"}
    web.post("/v1/chat/completions", json=CHAT, headers=headers)

    answer = web.post("/v1/chat/completions", json={**CHAT, "temperature": 1}, headers=headers)

    assert (answer.status_code, code_of(answer)) == (422, "idempotency_key_reused")
    assert answer.headers["x-should-retry"] == "false"


def test_c19_the_same_key_while_the_first_runs_is_told_to_wait(web: httpx2.Client, offered: FakeUpstream) -> None:
    headers = {"idempotency-key": "homework-3"}
    body = {**CHAT, "model": "slow", "stream": True}
    with web.stream("POST", "/v1/chat/completions", json=body, headers=headers) as first:
        lines = first.iter_lines()  # kept, for it hangs up when it is forgotten
        next(lines)
        answer = web.post("/v1/chat/completions", json=body, headers=headers)

    assert (answer.status_code, code_of(answer)) == (409, "idempotency_in_flight")
    assert answer.headers["retry-after"] == "1"


def test_a_failure_leaves_the_key_free(web: httpx2.Client, offered: FakeUpstream) -> None:
    headers = {"idempotency-key": "homework-4"}
    for _ in range(2):
        assert web.post("/v1/chat/completions", json={**CHAT, "model": "error-400"}, headers=headers).status_code == 400

    assert len(offered.calls()) == 2


def test_c19_after_a_day_the_key_is_new(web: httpx2.Client, sara: User) -> None:
    answer = web.post("/v1/chat/completions", json=CHAT, headers={"idempotency-key": "homework-5"})
    kept = IdempotencyKey.objects.get()
    claim = Claim(kept.route, kept.key, kept.fingerprint)
    over = kept.created_at + idempotency.KEPT

    with clock.telling(over - timedelta(seconds=1)):
        assert idempotency.take(sara.id, claim, call_id=new_id()) == Answer("application/json", answer.content)
        idempotency.purge()
    with clock.telling(over):
        assert idempotency.take(sara.id, claim, call_id=new_id()) is None
    with clock.telling(over + timedelta(days=2)):
        idempotency.purge()

    assert not IdempotencyKey.objects.exists()


def test_c19_the_same_key_of_somebody_else_is_another_key(
    web: httpx2.Client, omar: User, offered: FakeUpstream
) -> None:
    _key, omars_key = create_api_key(user_id=omar.id, name="laptop")
    for headers in ({}, {"authorization": f"Bearer {omars_key}"}):
        answer = web.post("/v1/chat/completions", json=CHAT, headers={"idempotency-key": "homework-6", **headers})
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)

    assert len(offered.calls()) == 2
    assert set(UsageRecord.objects.values_list("user__name", "prompts")) == {("Sara Chan", 1), ("Omar Lee", 1)}


def test_c19_the_same_key_on_another_route_is_another_key(web: httpx2.Client, offered: FakeUpstream) -> None:
    bodies = {"/v1/chat/completions": CHAT, "/v1/responses": {"model": "good", "input": "Hi"}}
    for route, body in bodies.items():
        answer = web.post(route, json=body, headers={"idempotency-key": "homework-7"})
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)

    assert len(offered.calls()) == 2
