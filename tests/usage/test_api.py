"""Usage under /api/: to read, one's own or everyone's."""

import pytest
from django.test import Client

from accounts.models import User
from tests.usage.test_record_usage import record
from usage.models import UsageRecord


def test_a_person_reads_their_own_calls_and_an_administrator_everyones(
    client: Client, sara: User, omar: User, root: User
) -> None:
    record(sara)
    record(omar, model="big")
    client.force_login(sara)
    (call,) = client.get("/api/usage/").json()["results"]
    assert (call["person"], call["outcome"], call["prompts"]) == ("sara@example.edu", "served", 1)
    others = UsageRecord.objects.get(user=omar)
    assert client.get(f"/api/usage/{others.pk}/").status_code == 404
    client.force_login(root)
    assert len(client.get("/api/usage/").json()["results"]) == 2
    assert len(client.get("/api/usage/?model=big").json()["results"]) == 1


@pytest.mark.parametrize("query", ["outcome=x", "first_day=yesterday", "person=nobody@example.edu"])
def test_a_filter_that_means_nothing_is_refused(client: Client, root: User, query: str) -> None:
    client.force_login(root)
    assert client.get(f"/api/usage/?{query}").status_code == 400


def test_nothing_is_written(client: Client, root: User) -> None:
    client.force_login(root)
    assert client.post("/api/usage/", {}).status_code == 405
    assert client.delete("/api/usage/1/").status_code == 405


def test_the_admin_pages_only_read(client: Client, root: User, sara: User) -> None:
    record(sara)
    client.force_login(root)
    for table in ("usagerecord", "dailyrollup"):
        assert client.get(f"/admin/usage/{table}/").status_code == 200
        assert client.get(f"/admin/usage/{table}/add/").status_code == 403
