"""The cast every test knows, and the outside world they never reach.

Sara and Omar are students, Ines teaches, Root administers. All belong to Harbour University.
"""

import functools
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from django.conf import LazySettings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.test import TransactionTestCase
from django.utils import translation
from pytest_django import DjangoDbBlocker
from whitenoise import WhiteNoise

from accounts.models import Department, User
from accounts.services import create_api_key
from accounts.types import Role
from core.limiter import forget_attempts
from gateway.services import sync_catalog
from policies.selectors import remember_notices
from policies.services import install_clauses
from tests.fakes.dialects import DIALECTS
from tests.fakes.upstream import FakeUpstream, open_upstream
from tests.servers import Server, database_url, free_port, running_server

PASSWORD = "correct horse battery staple"

# Hashing is slow on purpose; tests need it right, not slow.
Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 8, 1


@receiver(connection_created)
def _spare_the_disk(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """What a test itself writes need not outlive a power cut. Servers in processes of their own wait for the disk."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("pragma synchronous = off")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: no process waits for the last file of another."""
    items.sort(key=lambda item: item.path.parent.name not in ("storms", "contract", "authorization"))


@pytest.fixture(autouse=True)
def _reads_english() -> None:
    """The language of the last request stays the thread's, and a test must not read that of the one before."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def _fresh_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate limits count in the cache and in the limiter, and every test begins with none spent."""
    cache.clear()
    forget_attempts()
    monkeypatch.setattr("policies.selectors._REMEMBERED_SECONDS", float("inf"))  # no clock decides what a page reads
    remember_notices([])


@pytest.fixture
def spared_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """/readyz does not begin to write to SQLite: a test that is one transaction keeps everybody else from it."""
    monkeypatch.setattr("config.health._take_a_turn", lambda _cursor: None)


@pytest.fixture
def engineering(db: None) -> Department:
    return Department.objects.create(code="eng", name="Engineering")


@pytest.fixture
def sara(engineering: Department) -> User:
    """A student."""
    return User.objects.create_user("sara@example.edu", PASSWORD, name="Sara Chan", department=engineering)


@pytest.fixture
def omar(engineering: Department) -> User:
    """Another student, who must never see what is Sara's."""
    return User.objects.create_user("omar@example.edu", PASSWORD, name="Omar Lee", department=engineering)


@pytest.fixture
def ines(engineering: Department) -> User:
    """An instructor."""
    return User.objects.create_user(
        "ines@example.edu", PASSWORD, name="Ines Wong", role=Role.INSTRUCTOR, department=engineering
    )


@pytest.fixture
def root(db: None) -> User:
    """The administrator."""
    return User.objects.create_user("root@example.edu", PASSWORD, name="Ruth Ho", role=Role.ADMIN)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """SQLite empties tables after a transactional test by DELETE, which the tables kept as evidence refuse.

    PostgreSQL is told to overlook what refuses. tests/policies/test_evidence_stays.py puts the triggers back.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("select name from sqlite_master where type = 'trigger' and name like '%_refuses_delete'")
                for (name,) in cursor.fetchall():
                    cursor.execute(f"drop trigger {name}")
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:  # what a thread left open would keep the database from being removed
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """After a transactional test the tables are emptied, but for what migrations wrote about the tables themselves.

    Django would write that anew each time and, on PostgreSQL, give every table a new file: ten times the work.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: _empty_tables())
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_found_once() -> Iterator[None]:
    """Each test's client has middleware of its own, and WhiteNoise's would look at every static file anew."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    look: Callable[[WhiteNoise, str, str], None] = WhiteNoise.update_files_dictionary

    def remember(self: WhiteNoise, root: str, prefix: str) -> None:
        if (root, prefix) not in found:
            others, self.files = self.files, {}
            look(self, root, prefix)
            found[root, prefix], self.files = self.files, others
        self.files.update(found[root, prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoise, "update_files_dictionary", remember)
        yield


def _empty_tables() -> None:
    """Delete every row; where that deadlocks with the upkeep of a server that runs on, we try again."""
    for attempts_left in reversed(range(5)):
        try:
            with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    # Neither what refuses to delete evidence nor what tells servers of a change: they are told below.
                    cursor.execute("set local session_replication_role = replica")
                for table in _tables():
                    cursor.execute(f"delete from {table}")  # noqa: S608  # our own tables
                cursor.execute("update revision set number = number + 1")
            return
        except OperationalError:
            if not attempts_left:
                raise


@functools.cache
def _tables() -> list[str]:
    kept = {"django_migrations", "django_content_type", "auth_permission"}
    return sorted(set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept)


@pytest.fixture
def clauses(db: None) -> None:
    """The product's own clauses, published."""
    install_clauses()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """pytest-playwright's hook: the system's Chromium, which speaks to nobody but the pages under test.

    The one without windows is the same engine, and does not draw a toolbar in a process of its own for every visit.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        if os.environ.get("CI"):
            pytest.fail("Chromium is needed under CI and was not found.")
        pytest.skip("Chromium was not found: install it (Debian: apt install chromium-headless-shell fonts-noto-cjk).")
    # Playwright keeps an event loop in the main thread, where Django would refuse every query of a browser test.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return {"executable_path": chromium, "args": ["--no-sandbox", *quiet]}


@pytest.fixture
def redis_url() -> str:
    """A Redis server of the tests' own, from TEST_REDIS_URL (./scripts/test sets it)."""
    url = os.environ.get("TEST_REDIS_URL", "")
    if not url:
        pytest.skip("No Redis: set TEST_REDIS_URL, or run ./scripts/test.")
    return url


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    """The address of the real server on a free port, in a thread, streams and lifespan included."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config("config.asgi:application", log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


# ---- a provider and a server, both real ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[FakeUpstream]:
    with open_upstream(DIALECTS) as upstream:
        yield upstream


@pytest.fixture
def upstream(running_upstream: FakeUpstream) -> FakeUpstream:
    """The fake provider, with nothing remembered."""
    running_upstream.arrivals.clear()
    running_upstream.database_url = ""
    return running_upstream


@pytest.fixture
def offered(upstream: FakeUpstream, transactional_db: None, settings: LazySettings) -> Iterator[FakeUpstream]:
    """The fake provider with its models in the catalog. It watches that every call's row is there first (C01)."""
    settings.OPENAI_BASE_URL = upstream.base_url
    with transaction.atomic():
        sync_catalog()
    upstream.database_url = database_url()
    yield upstream
    assert [arrival for arrival in upstream.calls() if not arrival.is_durable] == []


@pytest.fixture(scope="session")
def running_server_of_all(
    running_upstream: FakeUpstream, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    environment = {
        "OPENAI_BASE_URL": running_upstream.base_url,
        "MAX_PARALLEL_CALLS": "0",
        "MAX_ATTEMPTS_PER_HOUR": "100000",
        "MAX_REQUEST_BYTES": "200000",
        "UPSTREAM_FIRST_BYTE_SECONDS": "3",
        "UPSTREAM_BETWEEN_SECONDS": "3",
        "PING_SECONDS": "1",
        # It outlives the tests that start it: it would end the calls that later ones begin long ago, and tell them of
        # providers that have gone with earlier ones.
        "SWEEP_SECONDS": "86400",
        "UPSTREAM_AWAY_SECONDS": "86400",
    }
    with running_server(tmp_path_factory.mktemp("server"), environment=environment) as server:
        yield server


@pytest.fixture
def server(offered: FakeUpstream, running_server_of_all: Server) -> Server:
    """`manage.py serve` in its own process on the test's database, with the fake provider's models to call.

    One for the whole session, with short deadlines and no limit on parallel calls; tests/servers.py starts others.
    """
    return running_server_of_all


@pytest.fixture
def local_server(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    """`manage.py serve` and the small model itself, in processes of their own."""
    sync_catalog()
    port = free_port()
    environment = {"LOCAL_MODEL": "1", "LOCAL_MODEL_URL": f"http://127.0.0.1:{port}/v1"}
    with (
        running_server(tmp_path, port=port, command=["-m", "config.local_model", str(port)], health="/health"),
        running_server(tmp_path, environment=environment) as server,
    ):
        yield server


@pytest.fixture
def saras_key(transactional_db: None, sara: User) -> str:
    """A key of Sara's, as her program sends it."""
    _key, secret = create_api_key(user_id=sara.id, name="laptop")
    return secret
