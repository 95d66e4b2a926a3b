"""The cast every test knows, and the outside world they never reach.

Sara and Omar are students, Ines teaches, Root administers. All belong to Harbour University.
"""

import pytest

from accounts.models import Department, User
from accounts.types import Role

PASSWORD = "correct horse battery staple"


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
