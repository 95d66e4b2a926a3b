"""What every page tells the browser it may do: nothing inline, nothing foreign, no frame around it (contract C30)."""

import re

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.models import User
from tests.pages.places import list_addresses

SIGNED_OUT = ["/accounts/login/", "/accounts/password/reset/", "/nothing/here/"]
STUDENTS = [
    "/", "/images/", "/usage/", "/usage/models/", "/usage/who-looked/", "/keys/", "/clauses/", "/account/",
    "/accounts/sessions/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/logout/", "/manage/",
]  # fmt: skip
ADMINISTRATORS = [
    "/manage/",
    "/manage/quotas/",
    "/manage/requests/",
    "/manage/pools/",
    "/manage/offers/",
    "/manage/usage/",
    "/manage/clauses/",
    "/review/",
    "/admin/",
    "/api/docs/",
]

INLINE = re.compile(rb"""<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\b(?:src=|type="application/json"))""")


def check(response: HttpResponseBase) -> None:
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "same-origin"
    content = getattr(response, "content", b"")
    assert not INLINE.search(content), INLINE.search(content)


@pytest.mark.parametrize("person", ["sara", "ines", "root"])
def test_no_page_there_is_allows_more(client: Client, person: str, request: pytest.FixtureRequest) -> None:
    """Every route of the URL configuration, Django's own pages for administrators among them."""
    user = request.getfixturevalue(person)
    client.force_login(user)
    things = {"user_id": user.pk, "person_id": user.pk, "object_id": user.pk, "app_label": "accounts", "code": "X"}
    for path in [*list_addresses(things), *list_addresses(things, of_admin=True)]:
        response = client.get(path)
        if response.status_code not in (404, 405) and response.headers.get("content-type", "").startswith("text/html"):
            check(response)


@pytest.mark.parametrize("path", SIGNED_OUT)
def test_a_page_before_the_sign_in_allows_only_its_own_files(client: Client, db: None, path: str) -> None:
    check(client.get(path))


@pytest.mark.parametrize("path", STUDENTS)
def test_a_students_page_allows_only_its_own_files(client: Client, sara: User, path: str) -> None:
    client.force_login(sara)
    check(client.get(path))


@pytest.mark.parametrize("path", ADMINISTRATORS)
def test_an_administrators_page_allows_only_its_own_files(client: Client, root: User, path: str) -> None:
    client.force_login(root)
    check(client.get(path))
