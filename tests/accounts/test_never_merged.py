"""Two people never become one because of an address, at whatever door it is tried (docs/decisions/0035)."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts import services
from accounts.models import User


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.mark.parametrize("address", ["sara@example.edu", "SARA@Example.edu", " sara@example.edu "])
def test_an_address_that_somebody_has_is_refused_at_every_door(
    desk: Client, sara: User, omar: User, address: str
) -> None:
    before = list(User.objects.order_by("pk").values())
    new = {"email": address, "name": "Another", "role": "student"}
    assert "email" in desk.post("/api/people/", new, "application/json").json()["error"]["fields"]
    changed = desk.patch(f"/api/people/{omar.pk}/", {"email": address}, "application/json")
    assert (changed.status_code, list(changed.json()["error"]["fields"])) == (400, ["email"])
    with pytest.raises(ValidationError):
        services.create_person(email=address, name="Another")
    assert list(User.objects.order_by("pk").values()) == before


def test_a_file_updates_who_has_the_address_and_touches_nobody_else(sara: User, omar: User) -> None:
    services.import_people(text=["email,name,role,department", "SARA@example.edu,Omar Lee,student,"])
    sara.refresh_from_db()
    assert (User.objects.count(), sara.name, sara.email) == (2, "Omar Lee", "sara@example.edu")


def test_another_address_is_still_the_same_person(desk: Client, sara: User) -> None:
    key, _secret = services.create_api_key(user_id=sara.pk, name="notebook")
    assert desk.patch(f"/api/people/{sara.pk}/", {"email": "s.chan@example.edu"}, "application/json").status_code == 200
    key.refresh_from_db()
    assert (key.user_id, key.user.email) == (sara.pk, "s.chan@example.edu")
