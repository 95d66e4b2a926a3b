"""Whichever statement of a call fails, its caller and the books are told the same (contract, C04, C10, C14)."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from quotas.models import Allowance
from quotas.services import set_quota
from tests.books import check_books
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.faults.length import IS_LONG, report
from tests.faults.outages import BODY, wait_until
from tests.servers import Server, running_server
from usage.models import UsageRecord
from usage.types import Outcome

# What a database says that is away, and what it says to something wrong of ours.
ERRORS = ("OperationalError", "IntegrityError")
CASES = [(error, stream) for error in ERRORS for stream in (False, True) if IS_LONG or stream == (error == ERRORS[1])]

pytestmark = pytest.mark.both_databases


@pytest.fixture
def inside(offered: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    """A server whose upkeep asks the database nothing meanwhile: the statements are those of calls."""
    quiet = {
        "LEASE_SECONDS": "86400",
        "SWEEP_SECONDS": "86400",
        "MAX_ATTEMPTS_PER_HOUR": "0",
        "MAX_PARALLEL_CALLS": "0",
    }
    environment = {"OPENAI_BASE_URL": offered.base_url, **quiet}
    with running_server(tmp_path, environment=environment, command=["-m", "tests.faults.inside"]) as server:
        yield server


def test_c04_whichever_statement_of_a_call_fails_it_is_served_and_charged_or_neither(
    inside: Server, offered: FakeUpstream, saras_key: str
) -> None:
    set_quota(limit=10_000)
    failed: Counter[str] = Counter()
    with httpx2.Client(base_url=inside.address, headers={"authorization": f"Bearer {saras_key}"}, timeout=30) as web:
        served = int(call(web, "the first makes the purse", stream=False))
        for error, stream in CASES:
            for number in count(1):
                web.post(f"/inside/fail/{number}/{error}")
                is_served = call(web, f"{error} {stream} {number}", stream=stream)
                seen = int(web.post("/inside/fail/0/Error").text)
                served += is_served
                wait_until(lambda: not Allowance.objects.filter(held__gt=0).exists())
                assert Allowance.objects.get().used == served, (error, stream, number, is_served)
                if seen < number:
                    break
                failed["served all the same" if is_served else "told 503"] += 1

    assert [words for words in ("met a bug", "Exception in ASGI") if words in inside.log.read_text()] == []
    assert failed.keys() == {"served all the same", "told 503"}
    assert UsageRecord.objects.filter(outcome=Outcome.SERVED, prompts=1).count() == served
    assert UsageRecord.objects.filter(prompts__gt=0).count() == served
    check_books()
    report(f"Each statement of a call, {connection.vendor}", ", ".join(f"{n} {what}" for what, n in failed.items()))


def call(web: httpx2.Client, name: str, *, stream: bool) -> bool:
    """Whether the answer came whole; else the caller was told so, and when to come again."""
    answer = web.post("/v1/chat/completions", json={**BODY, "stream": stream}, headers={"idempotency-key": name})
    if answer.status_code == 200:
        assert "data: [DONE]" in answer.text if stream else answer.json()["choices"][0]["message"]["content"] == ANSWER
        return True
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable"), (name, answer.text)
    assert answer.headers["retry-after"]
    return False
