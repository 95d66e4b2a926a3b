"""Sara before the gateway, in this process."""

import pytest

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from gateway.services import sync_catalog


@pytest.fixture
def catalog(db: None) -> None:
    """The built-in models: a chat model, and placeholder cards."""
    sync_catalog()


@pytest.fixture
def caller(sara: User) -> Principal:
    """Sara, as the gateway knows her."""
    return principal_of(sara)
