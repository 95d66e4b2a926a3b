"""Django admin: people, departments and keys, through the same rules as everywhere."""

import pytest
from django.test import Client

from accounts import services
from accounts.authentication import authenticate_api_key
from accounts.errors import InvalidApiKey
from accounts.models import ApiKey, Department, User
from accounts.types import Role
from tests.conftest import PASSWORD

PEOPLE = "/admin/accounts/user/"
KEYS = "/admin/accounts/apikey/"


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def person(**changes: str) -> dict[str, str]:
    return {
        "email": "New@example.edu",
        "name": "New Person",
        "role": "instructor",
        "is_active": "on",
        "new_password": PASSWORD,
        **changes,
    }


def test_a_person_is_made_and_signs_in(desk: Client, engineering: Department) -> None:
    assert desk.get(PEOPLE).status_code == desk.get(f"{PEOPLE}add/").status_code == 200
    assert desk.post(f"{PEOPLE}add/", person(department=str(engineering.id))).status_code == 302
    made = User.objects.get(email="new@example.edu")
    assert (made.role, made.department, made.check_password(PASSWORD)) == (Role.INSTRUCTOR, engineering, True)


@pytest.mark.parametrize(
    "changes", [{"email": "ROOT@example.edu"}, {"email": "x"}, {"new_password": "short"}, {"role": "emperor"}]
)
def test_a_person_who_does_not_fit_is_refused_in_the_form(desk: Client, changes: dict[str, str]) -> None:
    assert desk.post(f"{PEOPLE}add/", person(**changes)).status_code == 200
    assert User.objects.count() == 1


def test_a_person_changes_role_and_is_suspended(desk: Client, sara: User) -> None:
    _key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    one = f"{PEOPLE}{sara.id}/change/"
    assert desk.get(one).status_code == 200
    fields = person(email=sara.email, role="staff", new_password="")
    assert desk.post(one, fields).status_code == 302
    after = User.objects.get(id=sara.id)
    assert (after.role, after.check_password(PASSWORD)) == (Role.STAFF, True)
    del fields["is_active"]
    desk.post(one, fields)
    assert not User.objects.get(id=sara.id).is_active
    desk.post(PEOPLE, {"action": "restore", "_selected_action": [sara.id]})
    assert authenticate_api_key(secret).user_id == sara.id
    desk.post(PEOPLE, {"action": "suspend", "_selected_action": [sara.id]})
    assert not User.objects.get(id=sara.id).is_active


def test_the_last_administrator_stays_and_nobody_is_deleted(desk: Client, root: User, sara: User) -> None:
    assert desk.post(PEOPLE, {"action": "suspend", "_selected_action": [root.id]}).status_code == 409
    assert User.objects.get(id=root.id).is_active
    assert desk.post(f"{PEOPLE}{sara.id}/delete/", {"post": "yes"}).status_code == 403


def test_a_key_is_seen_and_revoked_but_not_made(desk: Client, sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    assert key.prefix in desk.get(KEYS).content.decode()
    page = desk.get(f"{KEYS}{key.id}/change/").content.decode()
    assert key.digest not in page
    assert desk.get(f"{KEYS}add/").status_code == 403
    desk.post(KEYS, {"action": "revoke", "_selected_action": [key.id]})
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(secret)
    assert ApiKey.objects.get().revoked_at is not None


def test_only_administrators_enter(sara: User, ines: User) -> None:
    for other in (sara, ines):
        client = Client()
        client.force_login(other)
        assert client.get(PEOPLE, follow=True).status_code == 403
