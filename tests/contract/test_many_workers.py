"""Several workers on one PostgreSQL: what one knows the others know (contract, C16, C24, C25, C26).

Without Redis; the long form asks again beside one that is well, and beside one that is frozen.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from tests.fakes.databases import Redis, open_folder
from tests.faults.length import IS_LONG, how_many, report
from tests.faults.outages import Installation, installed, wait_until
from tests.storms.clients import ask

pytestmark = pytest.mark.postgres

T = TypeVar("T")
WORKERS, POOL, STREAMS = how_many(2, 4), 5, 200
HOLD = 1.0  # seconds in which a change may still be unknown somewhere
WITHOUT, BESIDE, FROZEN = "without Redis", "beside Redis", "beside a frozen Redis"


@pytest.fixture(scope="module", params=[WITHOUT, BESIDE, FROZEN] if IS_LONG else [WITHOUT])
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == WITHOUT:
        yield ""
        return
    with open_folder() as folder:
        redis = Redis(folder)
        redis.start()
        if request.param == FROZEN:
            redis.freeze()
        yield redis.url
        redis.stop()


@pytest.fixture(scope="module")
def it(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    environment = {
        "DATABASE_POOL": str(POOL),
        "UPSTREAM_BETWEEN_SECONDS": "60",
        "LEASE_SECONDS": "30",
        "REDIS_URL": redis_url,
    }
    folder = tmp_path_factory.mktemp("workers")
    people = len(REVOCATIONS) + len(RIGHTS) + 2  # each loses something, and two lose nothing
    with installed(folder, people=people, workers=WORKERS, environment=environment) as installation:
        yield installation
        installation.manage("reconcile")


# Ours, which asks, is not among them.
CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
# A transaction is idle between two statements, for as long as Python takes to send the next.
FORGOTTEN = f"{CONNECTIONS} AND state LIKE 'idle in transaction%' AND state_change < now() - interval '1 second'"


def test_c16_open_streams_hold_no_connection(it: Installation) -> None:
    async def open_many() -> None:
        asking = [asyncio.create_task(insist(it)) for _ in range(STREAMS)]
        await asyncio.to_thread(wait_until, lambda: len(it.upstream.calls()) >= STREAMS)
        await asyncio.to_thread(look)
        for stream in asking:
            stream.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def look() -> None:
        wait_until(lambda: count_open(it) == STREAMS)
        for _ in range(20):
            check_connections(it)
            time.sleep(0.05)

    for _ in range(4):  # both workers are warm: what the first call of a process costs is not the matter here
        it.call_at_once(4)
    it.upstream.arrivals.clear()
    asyncio.run(open_many())
    wait_until(lambda: count_open(it) == 0)
    check_connections(it)
    it.upstream.arrivals.clear()


def check_connections(it: Installation) -> None:
    assert len(it.postgres.query(CONNECTIONS)) <= WORKERS * POOL
    assert it.postgres.query(FORGOTTEN) == []


async def insist(it: Installation) -> None:
    """One stream; a slow machine may refuse a crowd for a moment, and says when to come again."""
    while (await ask(it.server, it.keys[0], "stalls")).status == 503:  # noqa: ASYNC110  # no event of another process
        await asyncio.sleep(1)


def count_open(it: Installation) -> int:
    [(count,)] = it.postgres.query("SELECT count(*) FROM quotas_reservation WHERE state IN ('dispatched', 'settled')")
    return int(str(count))


# What is asked at once, by what becomes of it. The first two open streams, whose readers leave.
LEFT = ("stalls", "silent")
PLAIN = {"good": "", "error-500": "upstream_error", "garbage": "upstream_error", "unheard-of": "model_not_found"}
STREAMED = {"good": True, "unhurried": True, "breaks": False}
EVERY_WAY = len(LEFT) + len(PLAIN) + len(STREAMED) + 1
KEPT = 40.0  # seconds, until connections that were kept for the next call are surely closed


def test_c16_a_hundred_calls_of_every_kind_leave_nothing_behind(it: Installation) -> None:
    """Answered, refused, broken off, left alone: what fifty leave behind, fifty more do not add to."""
    asyncio.run(call_in_every_way(it, times=5))
    held = count_held(it)
    asyncio.run(call_in_every_way(it, times=5))
    wait_until(lambda: count_held(it) <= held, patience=KEPT)
    check_connections(it)
    report(f"{10 * EVERY_WAY} calls of every kind", f"sockets without the database's: {held} → {count_held(it)}")


async def call_in_every_way(it: Installation, *, times: int) -> None:
    """Whoever leaves does so when the others have what they came for: streams are open when we look."""
    key = it.keys[-1]
    for _ in range(times):
        it.upstream.arrivals.clear()
        leaving = [asyncio.create_task(ask(it.server, key, model)) for model in LEFT]
        plain = await asyncio.gather(*(asyncio.to_thread(it.call, model, key) for model in PLAIN))
        streams = await asyncio.gather(*(ask(it.server, key, model) for model in STREAMED))
        stranger = await ask(it.server, "cak_nobody", "good")
        await asyncio.to_thread(wait_until, lambda: {one.model for one in it.upstream.calls()} >= set(LEFT))
        await asyncio.to_thread(check_connections, it)
        for reader in leaving:
            reader.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        assert [call.code for call in plain] == list(PLAIN.values())
        assert [stream.is_complete for stream in streams] == list(STREAMED.values())
        assert stranger.status == 401
    await asyncio.to_thread(wait_until, lambda: count_open(it) == 0)


def count_held(it: Installation) -> int:
    """The sockets of all workers, but for those to the database: its pool may fill up to what it is allowed."""
    return sum(count_sockets(it)) - len(it.postgres.query(CONNECTIONS))


@pytest.fixture(scope="module")
def signed_up(it: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those who sign in, of whom one may ask."""
    sheet = tmp_path_factory.mktemp("readers") / "people.csv"
    lines = [f"{email},Reader,student,,{PASSWORD}" for email in (READER, *map(email_of, SESSIONS))]
    sheet.write_text("\n".join(["email,name,role,department,password", *lines]))
    it.manage("import_people", str(sheet))
    it.manage("acknowledge", READER, "--all", "--on-behalf", "a test")


def test_c12_fifty_readers_follow_one_answer_in_whichever_worker_they_land(it: Installation, signed_up: None) -> None:
    """One worker writes it, the other reads its row (decision 0040): each reader has every word, once and in order."""
    with signed_in(it, READER) as web:
        asked = web.post("/chat/ask/", json={"text": "Count", "model": "slow"}, headers={"accept": "application/json"})
        assert asked.status_code == 201, asked.text
        with ExitStack() as stack:
            before = count_sockets(it)
            readers = [stack.enter_context(follow(it, web, asked.json()["follow"])) for _ in range(READERS)]
            assert all(now > then for now, then in zip(count_sockets(it), before, strict=True))  # both have some
            texts = [read_answer(reader) for reader in readers]

    assert set(texts) == {"".join(f"{number} " for number in range(100)).strip()}


READER, PASSWORD, READERS = "reader@example.edu", "correct horse battery staple", 50


@contextmanager
def follow(it: Installation, web: httpx2.Client, address: str) -> Iterator[httpx2.Response]:
    """One more reader, on a connection of its own."""
    with (
        httpx2.Client(base_url=it.server.address, cookies=web.cookies, timeout=60) as another,
        another.stream("GET", address) as reader,
    ):
        yield reader


@contextmanager
def signed_in(it: Installation, email: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=it.server.address, timeout=60, follow_redirects=True) as web:
        web.get("/accounts/login/")
        token = web.cookies["csrftoken"]
        web.headers |= {"x-csrftoken": token, "referer": str(web.base_url)}
        answer = web.post("/accounts/login/", data={"login": email, "password": PASSWORD})
        assert answer.status_code == 200 and "sessionid" in web.cookies, answer.text[:500]
        web.headers["x-csrftoken"] = web.cookies["csrftoken"]
        yield web


def count_sockets(it: Installation) -> list[int]:
    """How many sockets each worker has open."""
    pid = it.server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    workers = [child for child in children if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]
    assert len(workers) == WORKERS
    return [len(list(Path(f"/proc/{worker}/fd").iterdir())) for worker in workers]


def read_answer(reader: httpx2.Response) -> str:
    """All words of an answer, as its events bring them."""
    pieces, name = [], ""
    for line in reader.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data" and name == "text":
            pieces.append(json.loads(value)["text"])
    return "".join(pieces).strip()


@dataclass(frozen=True)
class Change:
    """Something that takes a right away, by hand in SQL, as the least that any page or command does."""

    code: str
    sql: str
    model: str = "good"
    course: str = ""


REVOCATIONS = {
    "key": Change("invalid_api_key", "UPDATE accounts_apikey SET revoked_at = now() WHERE user_id = {person}"),
    "account": Change("account_suspended", "UPDATE accounts_user SET is_active = false WHERE id = {person}"),
}
# The same for whoever is signed in.
SESSIONS = {
    "session": "DELETE FROM django_session",
    "password": "UPDATE accounts_user SET password = '!' WHERE email = '{email}'",
    "account": "UPDATE accounts_user SET is_active = false WHERE email = '{email}'",
}
RIGHTS = {
    "role": Change("policy_refused", "UPDATE accounts_user SET role = 'staff' WHERE id = {person}"),
    "rule": Change(
        "policy_refused",
        """
        INSERT INTO policies_accessrule (role, operation, model, is_allowed, note)
        VALUES ('', '', 'no-usage', false, '')""",
        model="no-usage",
    ),
    "audience": Change(
        "model_not_found", """UPDATE gateway_model SET audience = '["staff"]' WHERE name = 'echo'""", model="echo"
    ),
    "enrollment": Change(
        "policy_refused", "DELETE FROM courses_enrollment WHERE user_id = {person}", course="COMP1117"
    ),
}
# Whoever is of the staff may not chat, and one person is in a course.
BEFORE = """
    INSERT INTO policies_accessrule (role, operation, model, is_allowed, note) VALUES ('staff', 'chat', '', false, '');
    INSERT INTO courses_course (code, title, term, starts_on, ends_on)
    VALUES ('COMP1117', 'Computing', '', now(), now() + '9 days');
    INSERT INTO courses_enrollment (course_id, user_id, role, section)
    SELECT courses_course.id, {person}, 'student', '' FROM courses_course"""
# What concerns everybody, each with what takes it back. A clause that was published stays, so it comes last.
CLOSINGS = {
    "maintenance": (
        """
        INSERT INTO policies_notice (level, text_en, text_zh_hant, text_zh_hans, starts_at, is_dismissable)
        VALUES ('maintenance', 'Back soon', 'Back soon', 'Back soon', now(), false)""",
        "UPDATE policies_notice SET ends_at = now()",
    ),
    "acknowledgment_required": (
        """
        CREATE TEMP TABLE new AS SELECT * FROM policies_clauseversion ORDER BY id DESC LIMIT 1;
        UPDATE new SET id = id + 1000, number = number + 1, published_at = now(), asks_again = true;
        INSERT INTO policies_clauseversion SELECT * FROM new""",
        "",
    ),
}


@pytest.fixture(scope="module")
def prepared(it: Installation) -> None:
    it.postgres.query(BEFORE.format(person=person_of(it, list(RIGHTS).index("enrollment") + len(REVOCATIONS))))


@pytest.mark.parametrize("what", REVOCATIONS)
def test_c24_a_revocation_holds_everywhere_within_a_second(it: Installation, what: str) -> None:
    check_change(it, REVOCATIONS[what], number=list(REVOCATIONS).index(what))


@pytest.mark.parametrize("what", SESSIONS)
def test_c24_an_ended_session_is_known_everywhere_within_a_second(it: Installation, signed_up: None, what: str) -> None:
    with signed_in(it, email_of(what)) as web, insisting(partial(open_list, web)) as told:
        wait_until(lambda: sum(status == 200 for _, status in told) >= 20)
        it.postgres.query(SESSIONS[what].format(email=email_of(what)))
        committed = time.monotonic()
        wait_until(lambda: sum(began > committed + HOLD for began, _ in told) >= 10)

    assert {status for began, status in told if began > committed + HOLD} - {503} == {401}


def email_of(what: str) -> str:
    """Whose session it is that is to be ended so."""
    return f"{what}@example.edu"


def open_list(web: httpx2.Client) -> int:
    """Ask for a page that one must have signed in for, over a connection of its own: any worker may take it."""
    return web.get("/chat/list/", headers={"accept": "application/json", "connection": "close"}).status_code


@pytest.mark.parametrize("what", RIGHTS)
def test_c25_a_right_that_is_taken_away_is_gone_everywhere_within_a_second(
    it: Installation, prepared: None, what: str
) -> None:
    check_change(it, RIGHTS[what], number=list(RIGHTS).index(what) + len(REVOCATIONS))


def check_change(it: Installation, change: Change, *, number: int) -> None:
    """Every worker is called all the time, and what they remember must not outlive the change."""
    with insisting(partial(it.call, change.model, it.keys[number], change.course)) as told:
        wait_until(lambda: sum(call.status == 200 for _, call in told) >= 20)
        it.postgres.query(change.sql.format(person=person_of(it, number)))
        committed = time.monotonic()
        wait_until(lambda: sum(began > committed + HOLD for began, _ in told) >= 10)

    late = [call for began, call in told if began > committed + HOLD]
    assert {call.code for call in late} - {"unavailable"} == {change.code}, late


def person_of(it: Installation, number: int) -> object:
    people = it.postgres.query("SELECT id FROM accounts_user WHERE email LIKE 'person%' ORDER BY id")
    return people[number][0]


@contextmanager
def insisting(call: Callable[[], T]) -> Iterator[list[tuple[float, T]]]:
    """Callers that never rest, on connections of their own; when each call began, and what it was told."""
    told: list[tuple[float, T]] = []
    is_over = threading.Event()

    def insist() -> None:
        while not is_over.is_set():
            began = time.monotonic()
            told.append((began, call()))

    callers = [threading.Thread(target=insist) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield told
    finally:
        is_over.set()
        for caller in callers:
            caller.join()


@pytest.mark.parametrize("code", CLOSINGS)
def test_c26_what_closes_the_doors_holds_everywhere_within_a_second_and_what_runs_ends_well(
    it: Installation, code: str
) -> None:
    """The callers and the streams belong to people of whom no other test took anything away."""
    close, open_again = CLOSINGS[code]
    with ThreadPoolExecutor(6) as threads, insisting(partial(it.call, "good", it.keys[-2])) as told:
        wait_until(lambda: sum(call.status == 200 for _, call in told) >= 20)
        it.upstream.arrivals.clear()
        running = [threads.submit(asyncio.run, ask(it.server, it.keys[-1], "slow")) for _ in range(6)]
        wait_until(lambda: sum(arrival.model == "slow" for arrival in it.upstream.calls()) == 6)
        it.postgres.query(close)
        committed = time.monotonic()
        wait_until(lambda: sum(began > committed + HOLD for began, _ in told) >= 10)
        closed = list(told)
        assert all(stream.result().is_complete for stream in running)
        if open_again:
            it.postgres.query(open_again)
            opened = time.monotonic()
            wait_until(lambda: sum(began > opened + HOLD for began, _ in told) >= 10)
            assert {call.code for began, call in told if began > opened + HOLD} - {"unavailable"} == {""}

    late = [call for began, call in closed if began > committed + HOLD]
    assert {call.code for call in late} - {"unavailable"} == {code}, late
