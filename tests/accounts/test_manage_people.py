"""Administrators find people and change their place, keep them out and let them in; nobody else does."""

import pytest
from django.test import Client

from accounts.authentication import authenticate_api_key
from accounts.errors import AccountSuspended, InvalidApiKey
from accounts.models import User
from accounts.services import create_api_key
from tests.conftest import PASSWORD

PEOPLE = "/manage/people/"


@pytest.fixture
def desk(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def page_of(user: User, action: str = "") -> str:
    return f"{PEOPLE}{user.pk}/{action}"


def place(user: User, **changes: object) -> dict[str, object]:
    return {"name": user.name, "role": user.role, "department": user.department_id or ""} | changes


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["Ines Wong", "Omar Lee", "Ruth Ho", "Sara Chan"]),
        ({"search": "SARA"}, ["Sara Chan"]),
        ({"role": "instructor"}, ["Ines Wong"]),
        ({"department": "eng", "role": "student"}, ["Omar Lee", "Sara Chan"]),
        ({"search": "nobody"}, []),
        ({"after": "999999"}, ["Ines Wong", "Omar Lee", "Ruth Ho", "Sara Chan"]),
    ],
)
@pytest.mark.usefixtures("sara", "omar", "ines")
def test_people_are_found_by_name_role_and_department(desk: Client, query: dict[str, str], names: list[str]) -> None:
    assert [person.name for person in desk.get(PEOPLE, query).context["list"]["window"].rows] == names


def test_a_changed_role_holds_on_the_next_request(desk: Client, sara: User) -> None:
    theirs = Client()
    theirs.force_login(sara)
    assert theirs.get("/review/").status_code == 403
    assert desk.post(page_of(sara), place(sara, role="instructor", name="Sara C. Chan")).status_code == 302
    assert theirs.get("/review/").status_code == 200
    sara.refresh_from_db()
    assert sara.name == "Sara C. Chan"


def test_a_suspended_person_is_out_at_once_and_comes_back(desk: Client, sara: User) -> None:
    theirs = Client()
    theirs.force_login(sara)
    _key, secret = create_api_key(user_id=sara.pk, name="laptop")
    assert desk.post(page_of(sara, "suspend/"), {"reason": "lent the account"}).status_code == 302
    assert "lent the account" in desk.get(page_of(sara)).content.decode()
    assert theirs.get("/usage/").status_code != 200
    with pytest.raises(AccountSuspended):
        authenticate_api_key(secret)
    desk.post(page_of(sara, "restore/"))
    assert authenticate_api_key(secret).user_id == sara.pk
    sara.refresh_from_db()
    assert sara.suspension_reason == ""


@pytest.mark.parametrize("reason", ["", " ", "x" * 241])
def test_a_suspension_needs_a_reason_of_some_length(desk: Client, sara: User, reason: str) -> None:
    response = desk.post(page_of(sara, "suspend/"), {"reason": reason})
    assert response.status_code == 400
    assert 'class="problem"' in response.content.decode()
    sara.refresh_from_db()
    assert sara.is_active


def test_the_last_administrator_is_neither_demoted_nor_suspended(desk: Client, root: User) -> None:
    for response in (
        desk.post(page_of(root), place(root, role="student")),
        desk.post(page_of(root, "suspend/"), {"reason": "on leave"}),
    ):
        assert response.status_code == 400
        assert "only active administrator" in response.content.decode()
    root.refresh_from_db()
    assert (root.role, root.is_active) == ("admin", True)


def test_keys_end_one_by_one_or_all_together(desk: Client, sara: User) -> None:
    (first, _one), (_second, two) = (create_api_key(user_id=sara.pk, name=name) for name in ("a", "b"))
    desk.post(page_of(sara, "keys/"), {"key": first.pk})
    assert authenticate_api_key(two).user_id == sara.pk
    desk.post(page_of(sara, "keys/"), {"key": "all"})
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(two)


def test_all_sessions_of_a_person_end(desk: Client, sara: User) -> None:
    theirs = Client()
    theirs.post("/accounts/login/", {"login": sara.email, "password": PASSWORD})
    assert desk.get(page_of(sara)).context["sessions"] == 1
    desk.post(page_of(sara, "sign-out/"))
    assert theirs.get("/usage/").status_code == 302


@pytest.mark.parametrize("changes", [{"name": ""}, {"role": "king"}, {"department": "999"}, {"name": "x" * 121}])
def test_a_place_that_does_not_fit_is_told_and_not_saved(desk: Client, sara: User, changes: dict[str, object]) -> None:
    response = desk.post(page_of(sara), place(sara) | changes)
    assert response.status_code == 400
    assert 'class="problem"' in response.content.decode()
    sara.refresh_from_db()
    assert (sara.name, sara.role) == ("Sara Chan", "student")


@pytest.mark.parametrize("key", ["", "-1", "x", "9" * 30])
def test_a_key_that_is_none_is_refused(desk: Client, sara: User, key: str) -> None:
    assert desk.post(page_of(sara, "keys/"), {"key": key}).status_code == 400


@pytest.mark.parametrize("action", ["", "suspend/", "restore/", "sign-out/", "keys/"])
def test_only_administrators_reach_the_desk(client: Client, sara: User, ines: User, root: User, action: str) -> None:
    assert client.post(page_of(sara, action)).status_code == 302
    for user in (sara, ines):
        client.force_login(user)
        assert client.post(page_of(sara, action)).status_code == 403
        assert client.get(PEOPLE).status_code == 403
    client.force_login(root)
    sent = {"name": "X", "role": "student", "reason": "x", "key": "1"}
    assert client.post(f"{PEOPLE}987654/{action}", sent).status_code == 404
