"""What there is to call, and the credentials it needs."""

import os
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from accounts.models import User
from accounts.types import Principal, Role
from audit.selectors import list_entries
from core import credentials
from core.types import Operation
from gateway.checks import check_access_rules
from gateway.models import Model, Provider, Upstream
from gateway.selectors import access_of, list_models_for
from gateway.services import rotate_credentials, set_credential, sync_catalog
from gateway.types import ProviderKind
from policies.models import AccessRule
from tests.fakes.upstream import FakeUpstream


def test_the_built_in_models_are_there_from_the_start(db: None) -> None:
    for _ in range(2):
        sync_catalog()

    assert [model.operation for model in Model.objects.all()] == [Operation.CHAT, Operation.IMAGE]


def test_what_an_administrator_switched_off_stays_off(catalog: None, caller: Principal) -> None:
    Model.objects.filter(operation=Operation.IMAGE).update(is_enabled=False)
    sync_catalog()

    assert [model.operation for model in list_models_for(caller)] == [Operation.CHAT]


def test_without_its_switch_the_local_model_is_not_offered(db: None, caller: Principal, settings: LazySettings) -> None:
    settings.LOCAL_MODEL = False
    sync_catalog()

    assert list_models_for(caller, Operation.CHAT) == []


def test_the_provider_of_the_environment_brings_its_models(
    caller: Principal, upstream: FakeUpstream, settings: LazySettings
) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = upstream.base_url, "sk-env"
    sync_catalog()

    theirs = Model.objects.filter(routes__upstream__is_from_environment=True)
    assert theirs.count() == len(upstream.behaviors)
    assert Model.objects.get(name="image-good").operation == Operation.IMAGE
    assert access_of(Upstream.objects.get(is_from_environment=True)) == (upstream.base_url, "sk-env")
    assert list_models_for(caller, Operation.CHAT)[0] in theirs  # before the small stand-in

    settings.OPENAI_BASE_URL = settings.OPENAI_API_KEY = ""
    sync_catalog()
    assert [model.name for model in list_models_for(caller) if model in theirs] == []


def test_a_provider_that_is_away_leaves_the_catalog_as_it_is(db: None, settings: LazySettings) -> None:
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"

    sync_catalog()

    assert Model.objects.count() == 2


def test_a_model_that_a_rule_forbids_is_not_listed(catalog: None, caller: Principal) -> None:
    AccessRule.objects.create(role=Role.STUDENT, operation=Operation.IMAGE)

    assert [model.operation for model in list_models_for(caller)] == [Operation.CHAT]


@pytest.fixture
def azure(db: None) -> Upstream:
    provider = Provider.objects.create(slug="azure", name="Azure", kind=ProviderKind.AZURE)
    upstream = Upstream.objects.create(
        provider=provider, name="east", base_url="https://east.example", api_version="2026-10-21"
    )
    set_credential(upstream_id=upstream.pk, secret="az-secret")
    upstream.refresh_from_db()
    return upstream


def test_a_credential_is_stored_encrypted(azure: Upstream) -> None:
    assert "az-secret" not in azure.credential_encrypted
    assert access_of(azure) == ("https://east.example", "az-secret")


def test_a_new_key_opens_old_credentials_until_they_are_rotated(azure: Upstream, settings: LazySettings) -> None:
    settings.CREDENTIAL_KEY_OLD, settings.CREDENTIAL_KEY = settings.CREDENTIAL_KEY, "a new one"
    assert rotate_credentials() == 1
    assert list_entries(action="credentials.rotate").get().changes == {"encrypted": [None, 1]}

    settings.CREDENTIAL_KEY_OLD = ""
    azure.refresh_from_db()
    assert credentials.decrypt(azure.credential_encrypted) == "az-secret"


def test_keys_in_a_file_are_changed_without_a_restart(azure: Upstream, settings: LazySettings, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"first\n{settings.CREDENTIAL_KEY}\n")
    settings.CREDENTIAL_KEY_FILE = str(keys)
    assert rotate_credentials() == 1
    azure.refresh_from_db()
    assert credentials.decrypt(azure.credential_encrypted) == "az-secret"

    keys.write_text("second\nfirst\n")
    os.utime(keys, (1, 1))  # whatever the clock says: another moment than before
    assert rotate_credentials() == 1
    keys.write_text("second\n")
    os.utime(keys, (2, 2))
    azure.refresh_from_db()
    assert credentials.decrypt(azure.credential_encrypted) == "az-secret"

    keys.write_text("third\n")
    os.utime(keys, (3, 3))
    with pytest.raises(ImproperlyConfigured):
        credentials.decrypt(azure.credential_encrypted)


def test_a_credential_of_a_lost_key_says_what_to_do(azure: Upstream, settings: LazySettings) -> None:
    settings.CREDENTIAL_KEY = "another"

    with pytest.raises(ImproperlyConfigured, match="CREDENTIAL_KEY_OLD"):
        credentials.decrypt(azure.credential_encrypted)


def test_the_admin_takes_a_credential_and_never_shows_it(azure: Upstream, root: User, client: Client) -> None:
    client.force_login(root)
    address = f"/admin/gateway/upstream/{azure.pk}/change/"
    form = {"provider": azure.provider_id, "name": "east", "base_url": azure.base_url, "is_enabled": "on"}
    form["api_version"] = azure.api_version

    assert b"az-secret" not in client.get(address).content
    assert client.post(address, {**form, "credential": ""}).status_code == 302
    azure.refresh_from_db()
    assert access_of(azure)[1] == "az-secret"
    assert client.post(address, {**form, "credential": "az-new"}).status_code == 302
    azure.refresh_from_db()
    assert access_of(azure)[1] == "az-new"


def test_a_rule_for_a_model_that_nobody_offers_is_pointed_out(catalog: None) -> None:
    AccessRule.objects.create(model="gpt-4o-mimi")

    assert [warning.id for warning in check_access_rules(databases=["default"])] == ["gateway.W001"]


@pytest.mark.parametrize("resource", ["models", "providers"])
def test_the_catalog_is_for_administrators(
    catalog: None, sara: User, root: User, client: Client, resource: str
) -> None:
    assert client.get(f"/api/{resource}/").status_code in (401, 403)
    client.force_login(sara)
    assert client.get(f"/api/{resource}/").status_code == 403

    client.force_login(root)
    answer = client.get(f"/api/{resource}/")
    assert answer.status_code == 200
    assert b"credential" not in answer.content
    first = answer.json()["results"][0]["id"]
    changed = client.patch(f"/api/{resource}/{first}/", {"is_enabled": False}, content_type="application/json")
    assert changed.json()["is_enabled"] is False
