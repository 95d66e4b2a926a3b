"""The common ground of /api/: doors, envelopes, pages, and who am I."""

import pytest
from django.test import Client

from accounts import services
from accounts.models import User
from policies.selectors import list_current
from quotas.services import install_default_quota


@pytest.fixture
def key(sara: User) -> dict[str, str]:
    """The header of a program of Sara's."""
    _key, secret = services.create_api_key(user_id=sara.id, name="script")
    return {"authorization": f"Bearer {secret}"}


def signed_in(person: User, *, strict: bool = False) -> Client:
    client = Client(enforce_csrf_checks=strict)
    client.force_login(person)
    return client


def test_me_says_who_i_am_what_is_outstanding_and_what_is_left(sara: User, clauses: None, key: dict[str, str]) -> None:
    install_default_quota()
    by_session = signed_in(sara).get("/api/me/")
    by_key = Client().get("/api/me/", headers=key)
    assert by_session.status_code == by_key.status_code == 200
    me = by_key.json()
    assert by_session.json() == me
    assert set(me) == {"email", "name", "role", "department", "courses", "clauses_outstanding", "quotas"}
    assert (me["email"], me["name"], me["role"], me["department"]) == (
        "sara@example.edu",
        "Sara Chan",
        "student",
        "eng",
    )
    assert [clause["clause"] for clause in me["clauses_outstanding"]] == ["integrity"]
    (quota,) = me["quotas"]
    assert quota.keys() >= {"name", "unit", "period", "scope", "limit", "granted", "used", "held", "extra", "left"}
    assert (quota["unit"], quota["limit"], quota["left"]) == ("prompts", 20, 20)


def test_a_person_accepts_a_clause_and_it_is_no_longer_outstanding(sara: User, clauses: None) -> None:
    client = signed_in(sara)
    body = {"version": list_current().get().id, "language": "zh-hant"}
    answer = client.post("/api/me/acknowledgments/", body, "application/json")
    assert answer.status_code == 201
    assert client.get("/api/me/").json()["clauses_outstanding"] == []
    (given,) = client.get("/api/me/acknowledgments/").json()["results"]
    assert (given["clause"], given["language"], given["digest"]) == (
        "integrity",
        "zh-hant",
        list_current().get().digest,
    )


def test_a_program_cannot_accept_a_clause(sara: User, clauses: None, key: dict[str, str]) -> None:
    body = {"version": list_current().get().id}
    answer = Client().post("/api/me/acknowledgments/", body, "application/json", headers=key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "policy_refused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ({"version": "first"}, 400, "invalid_request"),
        ({"version": 2**80}, 400, "invalid_request"),
        ({"version": 999_999}, 404, "not_found"),
        ({"version": 1, "language": "tlh"}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
        ("{", 400, "invalid_request"),
    ],
)
def test_a_malformed_acceptance_is_refused(sara: User, body: object, status: int, code: str) -> None:
    answer = signed_in(sara).post("/api/me/acknowledgments/", body, "application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/api/", "/api/me/", "/api/keys/", "/api/people/", "/api/clauses/"])
def test_without_a_session_or_a_key_there_is_no_answer(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "sign_in_required"


@pytest.mark.parametrize("header", ["Bearer cak_nonsense", "Bearer", "bearer  ", "Bearer \u9470"])
def test_a_bad_key_is_not_saved_by_a_good_session(sara: User, header: str) -> None:
    answer = signed_in(sara).get("/api/me/", headers={"authorization": header})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_a_suspended_person_is_told_so(sara: User, key: dict[str, str]) -> None:
    services.suspend_person(user_id=sara.id)
    answer = Client().get("/api/me/", headers=key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "account_suspended")


def test_a_session_needs_its_csrf_token_and_a_key_does_not(sara: User, clauses: None, key: dict[str, str]) -> None:
    version = list_current().get().id
    strict = signed_in(sara, strict=True)
    refused = strict.post("/api/me/acknowledgments/", {"version": version}, "application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "policy_refused")
    assert "CSRF" in refused.json()["error"]["message"]
    mine = services.create_api_key(user_id=sara.id, name="spare")[0]
    assert Client(enforce_csrf_checks=True).delete(f"/api/keys/{mine.id}/", headers=key).status_code == 204


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("path", ["/api/nothing/", "/api/me", "/api/keys/x/", "/api/people/1/2/", "/api/courses/%0A/"])
def test_a_path_that_leads_nowhere_answers_json(db: None, method: str, path: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_wrong_method_and_a_wrong_type_answer_in_the_envelope(sara: User) -> None:
    client = signed_in(sara)
    assert client.delete("/api/me/").json()["error"]["code"] == "method_not_allowed"
    form = client.post("/api/keys/", {"name": "x"})
    assert (form.status_code, form.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/api/docs/", "/api/schema/", "/api/me/", "/api/people/"])
@pytest.mark.parametrize(
    ("method", "accept", "status"),
    [("post", "*/*", 403), ("put", "*/*", 403), ("delete", "*/*", 403), ("get", "image/png", 406)],
)
def test_wrong_methods_forged_forms_and_unknown_formats_answer_json_everywhere(
    root: User, path: str, method: str, accept: str, status: int
) -> None:
    """The token of the form is missing: what changes something is refused for that before anything else."""
    answer = signed_in(root, strict=True).generic(
        method.upper(), path, b"{}", "application/json", headers={"accept": accept}
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert {"code", "message"} <= answer.json()["error"].keys()
    stranger = Client().generic(method.upper(), path, b"{}", "application/json", headers={"accept": accept})
    assert stranger.json()["error"]["code"] in ("sign_in_required", "not_acceptable")


def test_the_page_of_the_description_takes_no_other_method(sara: User) -> None:
    for method in ("post", "put", "patch", "delete", "options"):
        answer = getattr(signed_in(sara), method)("/api/docs/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_the_description_is_for_people_who_are_signed_in(sara: User) -> None:
    assert Client().get("/api/schema/").status_code == 401
    assert Client().get("/api/docs/").headers["Location"] == "/accounts/login/?next=/api/docs/"
    client = signed_in(sara)
    schema = client.get("/api/schema/", headers={"accept": "application/json"}).content.decode()
    for path in ("/api/me/", "/api/people/", "/api/keys/", "/api/clauses/", "/api/me/acknowledgments/"):
        assert path in schema
    docs = client.get("/api/docs/")
    assert docs.status_code == 200
    assert "<script>" not in docs.content.decode(), "inline scripts would be refused by the content security policy"


def test_lists_turn_pages_by_cursor(root: User, sara: User, omar: User, ines: User) -> None:
    client = signed_in(root)
    first = client.get("/api/people/?limit=3").json()
    assert [person["id"] for person in first["results"]] == sorted([omar.id, ines.id, sara.id, root.id])[:0:-1]
    rest = client.get(first["next"]).json()
    assert len(rest["results"]) == 1
    assert rest["next"] is None
    assert client.get("/api/people/?cursor=nonsense").status_code == 404
    assert client.get("/api/people/?limit=many").status_code == 200
