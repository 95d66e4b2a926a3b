"""Clauses under /api/ are read by everyone signed in and written by none."""

from django.test import Client

from accounts.models import User
from policies.selectors import list_current
from policies.services import acknowledge


def test_clauses_in_force_are_listed_with_my_own_acceptance(sara: User, omar: User, clauses: None) -> None:
    acknowledge(user_id=sara.id, version_id=list_current().get().id, language="en")
    for person, accepted in ((sara, True), (omar, False)):
        client = Client()
        client.force_login(person)
        (clause,) = client.get("/api/clauses/").json()["results"]
        assert clause["clause"] == "integrity"
        assert (clause["acknowledged_at"] is not None) is accepted
        assert client.get("/api/clauses/integrity/").json() == clause


def test_clauses_are_not_written_here(root: User, clauses: None) -> None:
    client = Client()
    client.force_login(root)
    assert client.post("/api/clauses/", {"slug": "x"}, "application/json").status_code == 405
    assert client.patch("/api/clauses/integrity/", {"body_en": "x"}, "application/json").status_code == 405
    assert client.delete("/api/clauses/integrity/").status_code == 405
    assert client.get("/api/clauses/nothing/").status_code == 404
