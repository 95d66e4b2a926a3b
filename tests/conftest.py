"""The cast every test knows, and the outside world they never reach.

Sara and Omar are students, Ines teaches, Root administers. All belong to Harbour University.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from django.core.cache import cache
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts.models import Department, User
from accounts.types import Role
from core.limiter import forget_attempts
from policies.services import install_clauses

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Rate limits count in the cache and in the limiter, and every test begins with none spent."""
    cache.clear()
    forget_attempts()


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
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """SQLite empties tables after a transactional test by DELETE, which the tables kept as evidence refuse.

    PostgreSQL truncates, which is another right. tests/policies/test_evidence_stays.py puts the triggers back.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("select name from sqlite_master where type = 'trigger' and name like '%_refuses_delete'")
                for (name,) in cursor.fetchall():
                    cursor.execute(f"drop trigger {name}")


@pytest.fixture
def clauses(db: None) -> None:
    """The product's own clauses, published."""
    install_clauses()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """pytest-playwright's hook: the system's Chromium, which speaks to nobody but the pages under test."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        if os.environ.get("CI"):
            pytest.fail("Chromium is needed under CI and was not found.")
        pytest.skip("Chromium was not found: install it (Debian: apt install chromium fonts-noto-cjk).")
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
