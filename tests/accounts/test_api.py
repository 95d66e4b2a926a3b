"""People and keys under /api/: own, another's, administrators', and malformed."""

import pytest
from django.test import Client

from accounts import services
from accounts.authentication import authenticate_api_key
from accounts.models import ApiKey, User
from accounts.types import Role


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_a_person_makes_lists_and_revokes_keys(sara: User) -> None:
    client = signed_in(sara)
    body = {"name": "notebook", "expires_at": "2050-01-01T00:00:00Z", "course_code": "COMP1117"}
    made = client.post("/api/keys/", body, "application/json")
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert authenticate_api_key(secret).user_id == sara.id
    listed = client.get("/api/keys/")
    assert secret not in listed.content.decode()
    (key,) = listed.json()["results"]
    assert (key["name"], key["course_code"], key["revoked_at"]) == ("notebook", "COMP1117", None)
    assert client.delete(f"/api/keys/{key['id']}/").status_code == 204
    assert client.get(f"/api/keys/{key['id']}/").json()["revoked_at"] is not None


def test_nobody_sees_or_revokes_anothers_keys(sara: User, omar: User, root: User) -> None:
    key, _secret = services.create_api_key(user_id=sara.id, name="notebook")
    for other in (omar, root):
        client = signed_in(other)
        assert client.get("/api/keys/").json()["results"] == []
        assert client.get(f"/api/keys/{key.id}/").status_code == 404
        assert client.delete(f"/api/keys/{key.id}/").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_a_key_makes_no_keys_but_may_end_itself(sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="script")
    bearer = {"authorization": f"Bearer {secret}"}
    assert Client().post("/api/keys/", {"name": "more"}, "application/json", headers=bearer).status_code == 403
    assert Client().delete(f"/api/keys/{key.id}/", headers=bearer).status_code == 204
    assert Client().get("/api/keys/", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "\u202e"}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "soon"}, "expires_at"),
        ({"name": "x", "course_code": "C" * 33}, "course_code"),
    ],
)
def test_a_malformed_key_is_refused_by_field(sara: User, body: object, field: str) -> None:
    answer = signed_in(sara).post("/api/keys/", body, "application/json")
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not ApiKey.objects.exists()


def test_what_the_server_decides_cannot_be_sent(sara: User, omar: User) -> None:
    body = {"name": "x", "user": omar.id, "user_id": omar.id, "digest": "0" * 64, "revoked_at": None, "id": 7}
    refused = signed_in(sara).post("/api/keys/", body, "application/json")
    assert (refused.status_code, refused.json()["error"]["fields"].keys()) == (400, body.keys() - {"name"})
    assert not ApiKey.objects.exists()


def test_an_administrator_makes_changes_and_suspends_people(root: User, sara: User) -> None:
    client = signed_in(root)
    body = {"email": "New@example.edu", "name": "New", "role": "instructor", "department": "eng"}
    made = client.post("/api/people/", body, "application/json")
    assert made.status_code == 201
    assert (made.json()["email"], made.json()["department"]) == ("new@example.edu", "eng")
    one = f"/api/people/{made.json()['id']}/"
    changed = client.patch(one, {"department": None, "role": "staff"}, "application/json").json()
    assert (changed["department"], changed["role"], changed["name"]) == (None, "staff", "New")
    assert client.patch(one, {"is_active": False}, "application/json").json()["is_active"] is False
    assert not User.objects.get(email="new@example.edu").is_active
    assert [p["email"] for p in client.get("/api/people/?search=sara").json()["results"]] == [sara.email]
    assert [p["email"] for p in client.get("/api/people/?role=admin").json()["results"]] == [root.email]


def test_other_people_see_only_themselves_and_write_nothing(sara: User, omar: User) -> None:
    client = signed_in(sara)
    assert [person["id"] for person in client.get("/api/people/").json()["results"]] == [sara.id]
    assert client.get(f"/api/people/{sara.id}/").status_code == 200
    assert client.get(f"/api/people/{omar.id}/").status_code == 404
    for path, call in ((f"/api/people/{sara.id}/", client.patch), ("/api/people/", client.post)):
        answer = call(path, {"role": "admin", "email": "x@example.edu", "name": "X"}, "application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "policy_refused")
    assert User.objects.get(id=sara.id).role == Role.STUDENT


def test_people_are_suspended_not_deleted(root: User, sara: User) -> None:
    assert signed_in(root).delete(f"/api/people/{sara.id}/").status_code == 405


def test_the_last_administrator_stays(root: User) -> None:
    answer = signed_in(root).patch(f"/api/people/{root.id}/", {"is_active": False}, "application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "last_administrator")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "X"}, "email"),
        ({"email": "x", "name": "X"}, "email"),
        ({"email": "SARA@example.edu", "name": "X"}, "email"),
        ({"email": "x@example.edu"}, "name"),
        ({"email": "x@example.edu", "name": "X", "role": "emperor"}, "role"),
        ({"email": "x@example.edu", "name": "X", "department": "alchemy"}, "department"),
        ({"email": "x@example.edu", "name": "X", "department": {}}, "department"),
    ],
)
def test_a_malformed_person_is_refused_by_field(root: User, sara: User, body: object, field: str) -> None:
    answer = signed_in(root).post("/api/people/", body, "application/json")
    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]


@pytest.mark.parametrize("query", ["role=emperor", "department=alchemy", "search=%25", "limit=-1"])
def test_odd_filters_find_nothing_and_break_nothing(root: User, query: str) -> None:
    assert signed_in(root).get(f"/api/people/?{query}").status_code in (200, 404)


@pytest.mark.parametrize("name", ["search", "role", "department", "cursor"])
def test_an_address_that_no_database_can_hold_is_refused(root: User, name: str) -> None:
    assert signed_in(root).get(f"/api/people/?{name}=%00").status_code == 400


def test_an_id_beyond_all_numbers_is_not_found(root: User) -> None:
    for path in ("people", "keys"):
        assert signed_in(root).get(f"/api/{path}/999999999999999999/").status_code == 404
        assert signed_in(root).get(f"/api/{path}/9999999999999999999999/").status_code == 404
