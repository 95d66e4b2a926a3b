"""Rules and grants under /api/: own, everyone's for administrators, and malformed."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.types import Role
from quotas import services
from quotas.models import Grant, Quota
from quotas.selectors import nearest_standing
from tests.quotas.conftest import principal, use


def at(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def test_an_administrator_puts_a_rule_in_force_and_withdraws_it(client: Client, root: User, sara: User) -> None:
    at(client, root)
    answer = post(client, "/api/quotas/", {"limit": 30, "role": "student", "reason": "Exam period"})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["role"], body["person"], body["ends_at"]) == (
        "30 prompts per month",
        "student",
        None,
        None,
    )
    assert nearest_standing(principal(sara)).limit == 30
    assert post(client, "/api/quotas/", {"limit": 31, "role": "student"}).status_code == 201
    (rule,) = client.get("/api/quotas/?role=student").json()["results"]
    assert rule["limit"] == 31
    assert client.delete(f"/api/quotas/{rule['id']}/?reason=over").status_code == 204
    assert nearest_standing(principal(sara)).limit == 20
    assert len(client.get("/api/quotas/?history=1").json()["results"]) == 2


def test_a_person_reads_the_rules_that_speak_of_them(client: Client, sara: User, omar: User) -> None:
    services.set_quota(limit=10)
    services.set_quota(limit=11, user_id=sara.pk)
    other = services.set_quota(limit=12, user_id=omar.pk)
    services.set_quota(limit=13, role=Role.STAFF)
    at(client, sara)
    assert sorted(rule["limit"] for rule in client.get("/api/quotas/").json()["results"]) == [10, 11]
    assert client.get(f"/api/quotas/{other.pk}/").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"limit": -1},
        {"limit": "many"},
        {"limit": 1, "unit": "gold"},
        {"limit": 1, "person": "nobody@example.edu"},
        {"limit": 1, "person": "sara@example.edu", "role": "student"},
        {"limit": 1, "scope": "video"},
        {"limit": 10**13},
        [1],
        "x",
    ],
    ids=str,
)
def test_a_malformed_rule_is_refused_with_its_field(client: Client, root: User, sara: User, body: object) -> None:
    answer = post(at(client, root), "/api/quotas/", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert not Quota.objects.exists()


def test_only_administrators_write(client: Client, sara: User, ines: User) -> None:
    rule = services.set_quota(limit=3)
    for person in (sara, ines):
        at(client, person)
        assert post(client, "/api/quotas/", {"limit": 99}).status_code == 403
        assert client.delete(f"/api/quotas/{rule.pk}/?reason=x").status_code == 403
        grant = {"person": "sara@example.edu", "amount": 5, "reason": "mine"}
        assert post(client, "/api/grants/", grant).status_code == 403
    assert nearest_standing(principal(sara)).limit == 3


def test_a_grant_is_given_and_read_by_its_person(client: Client, root: User, sara: User, omar: User) -> None:
    body = {"person": "sara@example.edu", "amount": 5, "reason": "lab 8"}
    answer = post(at(client, root), "/api/grants/", body)
    assert answer.status_code == 201
    assert (answer.json()["unit"], answer.json()["granted_by"]) == ("prompts", "root@example.edu")
    assert nearest_standing(principal(sara)).limit == 25
    assert len(client.get("/api/grants/?person=sara@example.edu").json()["results"]) == 1
    assert client.get("/api/grants/?person=omar@example.edu").json()["results"] == []
    assert len(at(client, sara).get("/api/grants/").json()["results"]) == 1
    assert at(client, omar).get("/api/grants/").json()["results"] == []


@pytest.mark.parametrize("change", [{"amount": 0}, {"amount": -5}, {"reason": ""}, {"person": "x"}, {"unit": "gold"}])
def test_a_malformed_grant_is_refused(client: Client, root: User, sara: User, change: dict[str, object]) -> None:
    body = {"person": "sara@example.edu", "amount": 5, "reason": "lab 8"} | change
    assert post(at(client, root), "/api/grants/", body).status_code == 400
    assert not Grant.objects.exists()


def test_a_stranger_is_asked_to_sign_in(client: Client, db: None) -> None:
    for path in ("/api/quotas/", "/api/grants/", "/api/usage/"):
        assert client.get(path).status_code == 401


def test_the_admin_pages_show_the_books_and_let_nobody_write_them(client: Client, root: User, sara: User) -> None:
    use(sara)
    at(client, root)
    for table in ("allowance", "reservation", "ledgerentry", "quota", "grant"):
        assert client.get(f"/admin/quotas/{table}/").status_code == 200
    for table in ("allowance", "reservation", "ledgerentry"):
        assert client.get(f"/admin/quotas/{table}/add/").status_code == 403


def test_the_admin_pages_write_rules_and_grants_through_the_services(client: Client, root: User, sara: User) -> None:
    services.set_quota(limit=4, role=Role.STUDENT)
    at(client, root)
    rule = {"unit": "prompts", "period": "month", "scope": "", "limit": "7", "role": "student", "reason": "by hand"}
    assert client.post("/admin/quotas/quota/add/", rule).status_code == 302
    assert Quota.objects.filter(ends_at=None).get().limit == 7
    grant = {"person": "sara@example.edu", "amount": "2", "unit": "prompts", "period": "month", "reason": "by hand"}
    assert client.post("/admin/quotas/grant/add/", grant).status_code == 302
    assert nearest_standing(principal(sara)).limit == 9
    contradiction = rule | {"user": str(sara.pk)}
    assert "neither a role" in client.post("/admin/quotas/quota/add/", contradiction).content.decode()


def test_a_request_is_made_and_decided_under_the_resource_api(
    client: Client, sara: User, omar: User, root: User
) -> None:
    at(client, sara)
    made = client.post("/api/requests/", {"amount": 30, "reason": "A report"}, "application/json")
    assert (made.status_code, made.json()["state"], made.json()["person"]) == (201, "open", "sara@example.edu")
    address = f"/api/requests/{made.json()['id']}/"
    decide = {"decision": "grant", "amount": 20, "answer": "Enough"}
    assert client.post(f"{address}decide/", decide, "application/json").status_code == 404  # nobody decides their own
    assert at(client, omar).get(address).status_code == 404
    assert client.get("/api/requests/").json()["results"] == []
    decided = at(client, root).post(f"{address}decide/", decide, "application/json").json()
    assert (decided["state"], decided["granted"], decided["decided_by"]) == ("granted", 20, "root@example.edu")
    quota = at(client, sara).get("/api/me/").json()["quotas"][0]
    assert (quota["limit"], quota["extra"], quota["left"], quota["currency"]) == (20, 20, 40, None)


@pytest.mark.parametrize("amount", ["-1", "1e3", 2.5, True, None, "٣", "NaN", 10**13])
def test_an_amount_that_is_no_whole_number_in_range_is_told_at_its_field(
    client: Client, sara: User, amount: object
) -> None:
    made = at(client, sara).post("/api/requests/", {"amount": amount, "reason": "x"}, "application/json")
    assert made.status_code == 400
    assert "amount" in made.content.decode()
