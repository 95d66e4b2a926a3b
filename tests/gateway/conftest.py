"""A provider to speak to."""

from collections.abc import Iterator

import pytest

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
