"""My keys: made, shown once, listed, revoked; nobody else's."""

import re

import pytest
from django.test import Client

from accounts import services
from accounts.authentication import authenticate_api_key
from accounts.errors import InvalidApiKey
from accounts.keys import PATTERN
from accounts.models import ApiKey, User


@pytest.fixture
def browser(sara: User) -> Client:
    client = Client()
    client.force_login(sara)
    return client


def test_a_new_key_is_shown_once_with_what_to_do_with_it(browser: Client, sara: User) -> None:
    answer = browser.post("/keys/", {"name": "notebook", "expires_at": "2050-06-30", "course_code": ""})
    page = answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    secret = re.search(PATTERN, page)
    assert secret is not None
    assert authenticate_api_key(secret[0]).user_id == sara.id
    assert "http://testserver/v1" in page
    again = browser.get("/keys/").content.decode()
    assert secret[0] not in again
    assert ApiKey.objects.get().prefix in again
    assert "notebook" in again
    assert "http://testserver/v1" in again


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202e"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "x", "expires_at": "2020-01-01"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-12-31"}, "expires_at"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "course_code": "C" * 33}, "course_code"),
    ],
)
def test_what_does_not_fit_comes_back_with_what_was_typed(
    browser: Client, fields: dict[str, str], problem: str
) -> None:
    answer = browser.post("/keys/", fields)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [problem]
    assert answer.context["form"]["name"].value() == fields["name"]
    assert not ApiKey.objects.exists()


def test_too_many_keys_are_refused_in_place(browser: Client, sara: User) -> None:
    for n in range(services.MAX_ACTIVE_KEYS):
        services.create_api_key(user_id=sara.id, name=f"key {n}")
    answer = browser.post("/keys/", {"name": "one more"})
    assert answer.status_code == 409
    assert "Revoke one" in answer.content.decode()


def test_revoking_asks_first_and_then_holds_at_once(browser: Client, sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    assert browser.get(f"/keys/{key.id}/revoke/").status_code == 200
    assert authenticate_api_key(secret).key_id == key.id
    answer = browser.post(f"/keys/{key.id}/revoke/", follow=True)
    assert "no program can use it" in answer.content.decode().lower()
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(secret)


def test_nobody_sees_or_revokes_anothers_key(browser: Client, omar: User) -> None:
    key, secret = services.create_api_key(user_id=omar.id, name="omars own")
    assert "omars own" not in browser.get("/keys/").content.decode()
    for call in (browser.get, browser.post):
        assert call(f"/keys/{key.id}/revoke/").status_code == 404
    assert authenticate_api_key(secret).user_id == omar.id


def test_strangers_are_sent_to_sign_in(db: None) -> None:
    for path in ("/keys/", "/keys/1/revoke/"):
        assert Client().get(path).headers["Location"] == f"/accounts/login/?next={path}"
    assert Client().get("/keys/", headers={"accept": "application/json"}).json()["error"]["code"] == "sign_in_required"


def test_a_wrong_method_is_refused(browser: Client) -> None:
    assert browser.delete("/keys/").status_code == 405
