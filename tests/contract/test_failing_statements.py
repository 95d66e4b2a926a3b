"""Whatever happens at whichever step of a call, caller and books are told the same (contract, C04, C10, C14)."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from core import clock
from gateway.admission import sweep
from quotas.models import Allowance, Reservation
from quotas.services import set_quota
from quotas.types import OPEN_STATES
from tests.books import check_books, has_open_calls
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.faults.length import IS_LONG, how_many, report
from tests.faults.outages import BODY, wait_until
from tests.servers import Server, running_server
from usage.models import UsageRecord
from usage.types import Outcome

# What a database says that is away, and what it says to something wrong of ours.
ERRORS = ("OperationalError", "IntegrityError")
CASES = [(error, stream) for error in ERRORS for stream in (False, True) if IS_LONG or stream == (error == ERRORS[1])]
# What ends a call from outside, and of how many of its steps one is tried.
CUTS = [("cancel", 1), ("exit", how_many(8, 1))]

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
    command = ["-m", "tests.faults.inside", "--forking"]
    with running_server(tmp_path, environment=environment, command=command) as server:
        yield server


@pytest.fixture
def web(inside: Server, saras_key: str) -> Iterator[httpx2.Client]:
    """Sara's program; none of its connections is to outlive what happens to a process."""
    headers, alone = {"authorization": f"Bearer {saras_key}"}, httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=inside.address, headers=headers, timeout=30, limits=alone) as web:
        yield web


def test_c04_whichever_statement_of_a_call_fails_it_is_served_and_charged_or_neither(
    inside: Server, web: httpx2.Client
) -> None:
    set_quota(limit=10_000)
    failed: Counter[str] = Counter()
    served = int(call(web, "the first makes the purse", stream=False))
    for error, stream in CASES:
        for number, is_served in at_each_step(web, error, stream=stream):
            # Who was refused comes again with the same key, and is served (C19).
            served += is_served or call(web, f"{error} {stream} {number}", stream=stream)
            wait_until(lambda: not has_open_calls())
            assert Allowance.objects.get().used == served, (error, stream, number, is_served)
            failed["served all the same" if is_served else "told 503"] += 1

    assert [words for words in ("met a bug", "Exception in ASGI") if words in inside.log.read_text()] == []
    assert failed.keys() == {"served all the same", "told 503"}
    assert UsageRecord.objects.filter(outcome=Outcome.SERVED, prompts=1).count() == served
    assert UsageRecord.objects.filter(prompts__gt=0).count() == served
    check_books()
    report(f"Each statement of a call, {connection.vendor}", ", ".join(f"{n} {what}" for what, n in failed.items()))


@pytest.mark.parametrize(("how", "every"), CUTS)
@pytest.mark.parametrize("stream", [False, True] if IS_LONG else [True])
def test_c04_wherever_a_call_is_cut_it_ends_once_and_is_charged_once_at_most(
    web: httpx2.Client, how: str, every: int, *, stream: bool
) -> None:
    """As by a server that stops, or dies. Its provider is spoken to in steps, too."""
    set_quota(limit=10_000)
    seen: Counter[str] = Counter()
    used = 0
    for number, is_served in at_each_step(web, how, stream=stream, every=every):
        if how == "exit":
            sweep_all()
        wait_until(lambda: not has_open_calls())
        before, used = used, sum(Allowance.objects.values_list("used", flat=True))
        # Who dies after the first word can tell nobody, and the word was paid for.
        assert used == before + is_served or (how == "exit" and used == before + 1), (number, is_served)
        seen["served" if is_served else "cut short"] += 1

    assert seen["cut short"]
    records = dict(UsageRecord.objects.values_list("call_id", "prompts"))
    assert records.keys() >= set(Reservation.objects.values_list("pk", flat=True))  # and one each: it is a key there
    assert sum(records.values()) == used
    check_books()
    report(f"A call cut at each step, {how}, {connection.vendor}", ", ".join(f"{n} {what}" for what, n in seen.items()))


def at_each_step(web: httpx2.Client, what: str, *, stream: bool, every: int = 1) -> Iterator[tuple[int, bool]]:
    """The number of a step and whether its caller was served all the same, until a call has no more steps."""
    for number in count(1, every):
        choose_step(web, number, what)
        is_served = call(web, f"{what} {stream} {number}", stream=stream)
        seen = choose_step(web, 0, what)
        yield number, is_served
        if is_served and seen < number:
            return


def choose_step(web: httpx2.Client, number: int, what: str) -> int:
    """Where it is to happen from now on, at 0 nowhere; how many steps there were since the last choice."""
    address = f"/inside/fail/{number}/{what}"
    try:
        answer = web.post(address)
    except httpx2.TransportError:
        if what != "exit":
            raise
        answer = web.post(address)  # the last step of a call may come after its answer: who died of it is replaced
    return int(answer.raise_for_status().text)


def call(web: httpx2.Client, name: str, *, stream: bool) -> bool:
    """Whether the answer came whole; else the caller was told so, and when to come again, or the server has died."""
    try:
        answer = web.post("/v1/chat/completions", json={**BODY, "stream": stream}, headers={"idempotency-key": name})
    except httpx2.TransportError:
        return False
    if answer.status_code == 200 and '"error"' in answer.text:
        assert '"code":"unavailable"' in answer.text and "[DONE]" not in answer.text, (name, answer.text)
        return False
    if answer.status_code == 200:
        assert "data: [DONE]" in answer.text if stream else answer.json()["choices"][0]["message"]["content"] == ANSWER
        return True
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable"), (name, answer.text)
    assert answer.headers["retry-after"]
    return False


def sweep_all() -> None:
    """The leases of a dead process have run out."""
    Reservation.objects.filter(state__in=OPEN_STATES).update(lease_until=clock.now())
    sweep()
