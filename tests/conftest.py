"""The cast every test knows, and the outside world they never reach.

Sara and Omar are students, Ines teaches, Root administers. All belong to Harbour University.
"""

import pytest
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
