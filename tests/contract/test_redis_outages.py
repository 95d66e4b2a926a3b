"""A Redis that is stopped, frozen, emptied or lying: nobody waits, and no quota is wrong (contract, C13, C40)."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import quantiles

import httpx2
import pytest

from accounts.models import User
from accounts.services import create_api_key
from quotas.models import Allowance
from quotas.services import set_quota
from tests.books import check_books
from tests.conftest import PASSWORD
from tests.fakes.databases import Redis, running_redis
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.racing import race
from tests.servers import Server, running_server

BODY = {"model": "good", "messages": [{"role": "user", "content": "Hi"}]}
LIMIT = 100_000
CALLS = how_many(10, 500)  # during each outage
RACERS, THEIR_LIMIT = how_many(60, 200), 20  # during each outage too
MOST_WRITTEN = 10_000  # bytes of log for each call

pytestmark = pytest.mark.redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis() as redis:
        yield redis


@pytest.fixture
def beside_redis(
    redis: Redis, offered: FakeUpstream, running_upstream: FakeUpstream, tmp_path: Path
) -> Iterator[Server]:
    environment = {
        "OPENAI_BASE_URL": running_upstream.base_url,
        "REDIS_URL": redis.url,
        "MAX_ATTEMPTS_PER_HOUR": "1000000",  # without a limit nobody would ask Redis
        "MAX_PARALLEL_CALLS": "0",
    }
    with running_server(tmp_path, environment=environment) as server:
        yield server


def list_keys(redis: Redis) -> list[str]:
    return redis.say("KEYS", "*").decode().split("\r\n")[2::2]


def lie(redis: Redis, value: str | bytes | None) -> None:
    """Every value becomes this one; None: one of another kind, which nobody can read."""
    for key in list_keys(redis):
        redis.say("DEL", key)
        redis.say(*(("RPUSH", key, "garbage") if value is None else ("SET", key, value)))


def sign_in(server: Server, person: User) -> str:
    """Where the page of sign-in sends whoever has signed in; the count of attempts is asked for on the way."""
    with httpx2.Client(base_url=server.address, timeout=20) as web:
        web.get("/accounts/login/")
        form = {"login": person.email, "password": PASSWORD, "csrfmiddlewaretoken": web.cookies["csrftoken"]}
        return str(web.post("/accounts/login/", data=form).headers.get("location"))


OUTAGES: dict[str, Callable[[Redis], object]] = {
    "stopped": lambda redis: redis.stop(),
    "frozen": lambda redis: redis.freeze(),
    "emptied": lambda redis: redis.say("FLUSHALL"),
    "lying with lists": partial(lie, value=None),
    "lying with nothing": partial(lie, value=""),
    "lying with a number": partial(lie, value="5"),
    "lying with bytes": partial(lie, value=random.Random(13).randbytes(40)),
}


def test_c13_c40_without_its_redis_the_gateway_serves_and_counts_as_before(
    redis: Redis, beside_redis: Server, running_upstream: FakeUpstream, sara: User, saras_key: str
) -> None:
    set_quota(limit=LIMIT)
    headers = {"authorization": f"Bearer {saras_key}"}
    left = []
    with httpx2.Client(base_url=beside_redis.address, headers=headers, timeout=20) as web:

        def call() -> None:
            answer = web.post("/v1/chat/completions", json=BODY)
            assert answer.status_code == 200, answer.text
            left.append(int(answer.headers["x-ratelimit-remaining-prompts"]))

        for name, outage in OUTAGES.items():
            call()
            while not holds_both(redis):  # one that failed is left alone for a second
                time.sleep(0.3)
                call()
                sign_in(beside_redis, sara)
            outage(redis)
            written, seconds = beside_redis.log.stat().st_size, []
            for _ in range(CALLS):
                began = time.monotonic()
                call()
                seconds.append(time.monotonic() - began)
            each = (beside_redis.log.stat().st_size - written) / CALLS
            assert each < MOST_WRITTEN
            slowest = quantiles(seconds, n=100, method="inclusive")[-1]
            report(
                f"Redis {name}, {CALLS} calls", f"99 of 100 within {slowest:.2f} s, {each:.0f} bytes of log for each"
            )
            check_race(beside_redis, running_upstream, f"{name.replace(' ', '-')}@example.edu")
            assert web.get("/readyz").status_code == 200
            assert sign_in(beside_redis, sara) == "/"
            redis.restart()
        call()

    assert left == list(range(LIMIT - 1, LIMIT - 1 - len(left), -1))
    counters = Allowance.objects.get(user=sara)
    assert (counters.used, counters.held) == (len(left), 0)
    check_books()


def holds_both(redis: Redis) -> bool:
    """Whether it counts calls and has something of signing in, which nobody is in the middle of."""
    keys = " ".join(list_keys(redis))
    return "attempts/" in keys and "login_failed" in keys and ":lock" not in keys


def check_race(server: Server, upstream: FakeUpstream, email: str) -> None:
    """A crowd with one key gets what there is, to the last prompt and no further."""
    racer = User.objects.create_user(email, name="Racer")
    set_quota(limit=THEIR_LIMIT, user_id=racer.pk)
    _key, secret = create_api_key(user_id=racer.pk, name="laptop")
    heard = len(upstream.calls())

    def run() -> int:
        headers = {"authorization": f"Bearer {secret}"}
        return httpx2.post(f"{server.api}/chat/completions", json=BODY, headers=headers, timeout=60).status_code

    assert Counter(race([run] * RACERS)) == {200: THEIR_LIMIT, 429: RACERS - THEIR_LIMIT}
    assert len(upstream.calls()) - heard == THEIR_LIMIT
    assert Allowance.objects.values_list("used", "held").get(user=racer) == (THEIR_LIMIT, 0)
