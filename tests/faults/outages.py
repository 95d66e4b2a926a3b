"""A running server whose database or Redis goes away, comes back, and what callers were told meanwhile."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.fakes.databases import Postgres, open_folder
from tests.fakes.proxy import Proxy, open_proxy
from tests.fakes.upstream import FakeUpstream, open_upstream
from tests.servers import ROOT, Server, running_server

PATIENCE = 20.0  # seconds until a call counts as hanging, or a recovery as failed
BODY = {"model": "good", "messages": [{"role": "user", "content": "Hi"}]}
QUICK = {
    "MAX_PARALLEL_CALLS": "0",
    "MAX_ATTEMPTS_PER_HOUR": "0",
    "LEASE_SECONDS": "3",
    "SWEEP_SECONDS": "1",
    "DATABASE_POOL": "4",
}


@dataclass(frozen=True)
class Told:
    """What one caller was told, and after how many seconds."""

    status: int
    code: str
    retry_after: str
    seconds: float


@dataclass
class Installation:
    """A server on a PostgreSQL of its own behind a proxy, with a provider that watches the ledger."""

    server: Server
    postgres: Postgres
    proxy: Proxy
    upstream: FakeUpstream
    keys: list[str]
    environment: dict[str, str]
    web: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.web = httpx2.Client(base_url=self.server.address, timeout=PATIENCE)

    def call(self, model: str = "good", key: str = "", course: str = "") -> Told:
        """One plain call."""
        began = time.monotonic()
        headers = {"authorization": f"Bearer {key or self.keys[0]}"} | ({"x-course": course} if course else {})
        answer = self.web.post("/v1/chat/completions", json={**BODY, "model": model}, headers=headers)
        error = answer.json().get("error") or {}
        seconds = time.monotonic() - began
        return Told(answer.status_code, error.get("code", ""), answer.headers.get("retry-after", ""), seconds)

    def call_at_once(self, count: int) -> list[Told]:
        """So many calls at the same time."""
        with ThreadPoolExecutor(count) as callers:
            return list(callers.map(lambda _: self.call(), range(count)))

    def status_of(self, path: str) -> int:
        return self.web.get(path, headers={"authorization": f"Bearer {self.keys[0]}"}).status_code

    def wait_until_served(self) -> float:
        """Seconds until a call is served again."""
        return wait_until(lambda: self.call().status == 200)

    def wait_until_quiet(self) -> None:
        """Nothing is held any more: the sweep has ended what the outage left behind."""
        wait_until(lambda: self.postgres.query("SELECT sum(held) FROM quotas_allowance")[0][0] in (None, 0))

    def manage(self, *arguments: str) -> str:
        """A verb of manage.py against the same database."""
        environment = {**os.environ, **self.environment}
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


def wait_until(truth: Callable[[], object], *, patience: float = PATIENCE) -> float:
    """Seconds until it is so. Another process brings it about: there is no event to wait for."""
    began = time.monotonic()
    while not truth():
        assert time.monotonic() - began < patience, "it did not happen"
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def installed(
    folder: Path, *, people: int = 1, workers: int = 1, environment: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """An installation for as long as the block lasts."""
    with open_folder() as own_folder:
        postgres = Postgres(own_folder)
        postgres.start()
        try:
            with open_upstream() as upstream, open_proxy(postgres.port) as proxy:
                own = {
                    **QUICK,
                    "DATABASE_URL": postgres.url_at(proxy.port),
                    "DATA_DIR": str(folder / "data"),
                    "SECRET_KEY": "not a secret",
                    "OPENAI_BASE_URL": upstream.base_url,
                    "REDIS_URL": "",
                    "LOCAL_MODEL": "0",
                    **(environment or {}),
                }
                keys = json.loads(
                    subprocess.run(
                        [sys.executable, "-m", "tests.faults.installation", str(people)],
                        cwd=ROOT,
                        env={**os.environ, **own},
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                    ).stdout
                )
                upstream.database_url = postgres.url
                with running_server(folder / "data", workers=workers, environment=own) as server:
                    it = Installation(server, postgres, proxy, upstream, keys, own)
                    with it.web:
                        yield it
                assert [arrival.call_id for arrival in upstream.calls() if not arrival.is_durable] == []
        finally:
            postgres.stop()


# ---- the ways a database is away -----------------------------------------------------------------------------------


@contextmanager
def stopped(it: Installation) -> Iterator[None]:
    it.postgres.stop()
    try:
        yield
    finally:
        it.postgres.start()


@contextmanager
def frozen(it: Installation) -> Iterator[None]:
    it.postgres.freeze()
    try:
        yield
    finally:
        it.postgres.thaw()


@contextmanager
def unreachable(it: Installation) -> Iterator[None]:
    """The line swallows everything; afterwards it is a new line, as after a failed switch."""
    it.proxy.is_silent = True
    try:
        yield
    finally:
        it.proxy.cut()
        it.proxy.heal()


@contextmanager
def refused(it: Installation) -> Iterator[None]:
    """Connections are reset and none is made: the proxy of the database is down."""
    it.proxy.is_down = True
    it.proxy.cut()
    try:
        yield
    finally:
        it.proxy.heal()


def read_only(it: Installation) -> AbstractContextManager[None]:
    return it.postgres.read_only()


def crowded(it: Installation) -> AbstractContextManager[None]:
    return it.postgres.crowded()


Outage = Callable[[Installation], AbstractContextManager[None]]
OF_POSTGRES: dict[str, Outage] = {
    "stopped": stopped,
    "frozen": frozen,
    "unreachable": unreachable,
    "refused": refused,
    "read-only": read_only,
    "out of connections": crowded,
}
# While the database says nothing, a page waits for it as long as the browser does.
MUTE = ("frozen", "unreachable")
