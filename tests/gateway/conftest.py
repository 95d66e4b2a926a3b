"""A provider to speak to."""

from collections.abc import Iterator

import pytest

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from gateway.services import sync_catalog
from tests.fakes.upstream import FakeUpstream, running_upstream


@pytest.fixture(scope="session")
def running_fake() -> Iterator[FakeUpstream]:
    with running_upstream() as fake:
        yield fake


@pytest.fixture
def upstream(running_fake: FakeUpstream) -> FakeUpstream:
    """The fake provider, with nothing remembered."""
    running_fake.arrivals.clear()
    running_fake.database_url = ""
    return running_fake


@pytest.fixture
def catalog(db: None) -> None:
    """The built-in models: a chat model, and placeholder cards."""
    sync_catalog()


@pytest.fixture
def caller(sara: User) -> Principal:
    """Sara, as the gateway knows her."""
    return principal_of(sara)
