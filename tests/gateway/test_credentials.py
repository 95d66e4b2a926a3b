"""What a running server shows a provider: the credential that stands in the catalog now, or nothing at all."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client

from accounts.models import User
from core import credentials
from gateway.models import Upstream
from gateway.services import create_model, create_provider, examine_upstream, set_credential
from tests.fakes.upstream import FakeUpstream
from tests.servers import Server, running_server
from usage.models import UsageRecord

CHAT = {"model": "shop", "messages": [{"role": "user", "content": "Hi"}]}

pytestmark = pytest.mark.both_databases


@pytest.fixture
def shop(offered: FakeUpstream, settings: LazySettings) -> Upstream:
    """The one address of the model `shop`, with a credential of its own that the servers of tests can open."""
    settings.CREDENTIAL_KEY = "not a secret"
    with transaction.atomic():
        provider = create_provider(
            columns={"name": "Shop", "slug": "shop", "kind": "compatible"},
            address={"name": "default", "base_url": offered.base_url},
            secret="sk-first",
        )
        upstream = provider.upstreams.get()
        create_model(
            columns={"name": "shop", "label": "Shop"}, routes=[{"upstream": upstream, "upstream_name": "good"}]
        )
    return upstream


@pytest.fixture
def web(server: Server, saras_key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.address, headers={"authorization": f"Bearer {saras_key}"}, timeout=20) as web:
        yield web


def test_a_credential_that_is_replaced_is_shown_from_the_next_call_on(
    web: httpx2.Client, shop: Upstream, offered: FakeUpstream, client: Client, root: User
) -> None:
    client.force_login(root)
    form = {"name": "default", "base_url": offered.base_url, "is_enabled": "on", "credential": "sk-third"}

    assert web.post("/v1/chat/completions", json=CHAT).status_code == 200
    set_credential(upstream_id=shop.pk, secret="sk-second")
    assert web.post("/v1/chat/completions", json=CHAT).status_code == 200
    assert client.post(f"/manage/providers/addresses/{shop.pk}/", form).status_code == 302
    assert web.post("/v1/chat/completions", json=CHAT).status_code == 200
    set_credential(upstream_id=shop.pk, secret="")
    assert web.post("/v1/chat/completions", json=CHAT).status_code == 200

    shown = [arrival.headers.get("authorization") for arrival in offered.calls()]
    assert shown == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-third", None]


@pytest.mark.parametrize("keys", [None, "", "of another installation"], ids=["no-file", "empty-file", "another-key"])
def test_with_the_key_lost_a_call_fails_like_its_provider_and_the_log_says_why(
    shop: Upstream, offered: FakeUpstream, saras_key: str, tmp_path: Path, keys: str | None
) -> None:
    file = tmp_path / "keys"
    file.write_text("not a secret")
    environment = {"OPENAI_BASE_URL": offered.base_url, "CREDENTIAL_KEY_FILE": str(file)}
    with (
        running_server(tmp_path, environment=environment) as server,
        httpx2.Client(base_url=server.address, headers={"authorization": f"Bearer {saras_key}"}, timeout=20) as web,
    ):
        file.unlink()  # no server begins without it
        if keys is not None:
            file.write_text(keys)
        lost = web.post("/v1/chat/completions", json=CHAT)
        other = web.post("/v1/chat/completions", json={**CHAT, "model": "good"})
        log = server.log.read_text()

    assert (lost.status_code, lost.json()["error"]["code"]) == (502, "upstream_error")
    assert other.status_code == 200  # whose credential stands in the environment
    assert "Nothing can be sent to Shop: default. " in log
    assert "CREDENTIAL_KEY" in log
    assert "Traceback" not in log
    assert [arrival.model for arrival in offered.calls()] == ["good"]
    assert UsageRecord.objects.count() == 1


def test_with_the_key_lost_the_test_of_an_address_says_so(shop: Upstream, settings: LazySettings) -> None:
    settings.CREDENTIAL_KEY = "another"

    found = examine_upstream(upstream_id=shop.pk)

    assert not found.is_well
    assert "cannot be opened" in found.words


def test_a_file_of_keys_that_is_gone_is_said_plainly(settings: LazySettings, tmp_path: Path) -> None:
    settings.CREDENTIAL_KEY_FILE = str(tmp_path / "nothing")
    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEY_FILE cannot be read"):
        credentials.encrypt("x")

    settings.CREDENTIAL_KEY_FILE = str(tmp_path / "empty")
    (tmp_path / "empty").touch()
    with pytest.raises(ImproperlyConfigured, match="holds no key"):
        credentials.encrypt("x")
