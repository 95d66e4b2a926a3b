"""A failure is a page of help in the person's language, with its status; programs get the envelope."""

from django.template.loader import render_to_string
from django.test import Client

from accounts.models import User


def test_a_page_that_does_not_exist_says_so_and_leads_on(client: Client, sara: User) -> None:
    client.force_login(sara)
    response = client.get("/nothing/here/")
    assert response.status_code == 404
    assert "does not exist, or it belongs to someone else" in response.content.decode()


def test_a_page_of_another_role_is_refused_in_words(client: Client, sara: User) -> None:
    client.force_login(sara)
    response = client.get("/manage/quotas/", headers={"accept": "text/html"})
    assert response.status_code == 403
    assert "This page is for another role" in response.content.decode()


def test_a_program_gets_the_same_refusal_as_an_envelope(client: Client, sara: User) -> None:
    client.force_login(sara)
    response = client.get("/manage/quotas/", headers={"accept": "application/json"})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "policy_refused"


def test_a_form_without_its_token_is_explained(sara: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(sara)
    response = client.post("/appearance/", {"theme": "dark"})
    assert response.status_code == 403
    assert "Please send it once more" in response.content.decode()


def test_the_page_of_our_own_failure_needs_neither_database_nor_request() -> None:
    page = render_to_string("500.html")
    assert "Something failed on our side" in page
    assert "css/app." in page  # with or without its hash
