"""/api/reports/: a table of use for programs, a page of it at a time."""

from django.test import Client

from accounts.models import Department, User
from tests.usage.test_record_usage import record


def test_the_pages_have_every_row_once_and_the_total_of_all(
    client: Client, root: User, engineering: Department
) -> None:
    people = [
        User.objects.create_user(f"p{n}@example.edu", "x", name=f"P{n}", department=engineering) for n in range(5)
    ]
    for n, person in enumerate(people):
        record(person, prompts=n + 1)
    client.force_login(root)
    keys = []
    address: str | None = "/api/reports/?by=user&limit=2"
    while address:
        report = client.get(address).json()
        assert (report["count"], report["total"]["prompts"]) == (5, 15)
        keys += [row["key"] for row in report["rows"]]
        address = report["next"]
    assert keys == [str(person.pk) for person in reversed(people)], "the largest first"


def test_a_page_that_is_not_there_is_not_found(client: Client, root: User) -> None:
    client.force_login(root)
    assert client.get("/api/reports/?by=user&page=9").status_code == 404
