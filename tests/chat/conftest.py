"""People who may chat, models that behave as their names say, and a real server to talk to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from core.types import Operation
from gateway.models import Model, Provider, Route, Upstream
from gateway.types import ProviderKind
from policies.selectors import list_outstanding
from policies.services import acknowledge
from tests.chat.server import RunningServer, running_server
from tests.fakes.upstream import FakeUpstream
from tests.gateway.conftest import catalog

__all__ = ["catalog"]

AddModel = Callable[..., Model]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of a test are its own, and nobody is woken: the worker is the test."""
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("chat.tasks.wake_image_worker", lambda: None)


@pytest.fixture
def add_model(db: None, upstream: FakeUpstream) -> AddModel:
    """Offers a model of the fake provider; its name chooses how the provider behaves."""
    provider = Provider.objects.create(slug="fake", name="Fake", kind=ProviderKind.COMPATIBLE)
    endpoint = Upstream.objects.create(provider=provider, name="fake", base_url=upstream.base_url)

    def add(behavior: str, *, operation: Operation = Operation.CHAT, weight: int = 1, label: str = "") -> Model:
        model = Model.objects.create(
            name=behavior,
            label=label or f"Fake {behavior}",
            description="A model of the tests.",
            operation=operation,
            prompt_weight=weight,
        )
        Route.objects.create(model=model, upstream=endpoint, upstream_name=behavior)
        return model

    return add


@pytest.fixture
def student(sara: User, clauses: None) -> Principal:
    """Sara, who has accepted the clauses."""
    return accepted(sara)


@pytest.fixture
def other_student(omar: User, clauses: None) -> Principal:
    """Omar, who has accepted the clauses too."""
    return accepted(omar)


def accepted(user: User) -> Principal:
    """The person, after accepting whatever is outstanding."""
    for version in list_outstanding(user.pk):
        acknowledge(user_id=user.pk, version_id=version.pk, language="en")
    return principal_of(user)


@pytest.fixture
def web(transactional_db: None, settings: LazySettings) -> Iterator[RunningServer]:
    """The real ASGI application on a port, with its lifespan."""
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    with running_server() as server:
        yield server
