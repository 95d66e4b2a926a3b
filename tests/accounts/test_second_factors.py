"""A second factor: made by its owner, asked for at the sign-in, and of no use to whoever reads the database."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from accounts.services import encrypt_second_factors
from tests.accounts.test_sign_in import LOGIN, is_signed_in, sign_in
from tests.conftest import PASSWORD

ACTIVATE = "/accounts/2fa/totp/activate/"
AUTHENTICATE = "/accounts/2fa/authenticate/"


@pytest.fixture
def secret(client: Client, sara: User) -> str:
    """Sara's, as her phone keeps it."""
    sign_in(client, sara.email)
    page = client.post(f"/accounts/reauthenticate/?next={ACTIVATE}", {"password": PASSWORD}, follow=True)
    secret = str(page.context["form"].secret)
    assert client.post(ACTIVATE, {"code": code_of(secret)}).status_code == 302
    return secret


def code_of(secret: str) -> str:
    cache.clear()  # a code is good once, and a test does not wait for the next
    return str(format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))


def signs_in(person: User, secret: str) -> bool:
    """Whether her password and a code let her in; the password alone does not."""
    client = Client()
    answer = client.post(LOGIN, {"login": person.email, "password": PASSWORD})
    assert answer.headers["Location"] == AUTHENTICATE
    assert not is_signed_in(client)
    client.post(AUTHENTICATE, {"code": code_of(secret)})
    return is_signed_in(client)


def test_it_is_asked_for_beside_the_password(sara: User, secret: str) -> None:
    assert signs_in(sara, secret)
    assert not signs_in(sara, "A" * 32)


def test_its_secrets_are_not_in_the_database(sara: User, secret: str) -> None:
    assert {factor.type for factor in Authenticator.objects.all()} == {"totp", "recovery_codes"}
    for factor in Authenticator.objects.all():
        assert all(value.startswith("gAAAA") for value in factor.data.values() if isinstance(value, str)), factor.type


def test_one_from_before_secrets_were_encrypted_is_good_and_then_encrypted(sara: User, secret: str) -> None:
    Authenticator.objects.filter(type="totp").update(data={"secret": secret})
    assert signs_in(sara, secret)
    assert encrypt_second_factors() == 2
    assert Authenticator.objects.get(type="totp").data["secret"].startswith("gAAAA")
    assert signs_in(sara, secret)


def test_it_outlives_the_key_it_was_encrypted_with(sara: User, secret: str, settings: LazySettings) -> None:
    settings.CREDENTIAL_KEY_OLD, settings.CREDENTIAL_KEY = settings.CREDENTIAL_KEY, "a new one"
    assert signs_in(sara, secret)
    encrypt_second_factors()
    settings.CREDENTIAL_KEY_OLD = ""
    assert signs_in(sara, secret)
