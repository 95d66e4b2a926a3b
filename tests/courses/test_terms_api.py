"""Terms under /api/: everyone signed in reads them, administrators write them by the rules of the page."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Entry
from core import clock
from courses.models import Term
from courses.services import save_term

TERMS = "/api/terms/"
SPRING = {"code": "2026-2", "name": "Spring 2027", "starts_on": "2027-01-11", "ends_on": "2027-05-31"}


@pytest.fixture(autouse=True)
def _in_november() -> Iterator[None]:
    with clock.telling(datetime(2026, 11, 22, tzinfo=UTC)):
        yield


@pytest.fixture
def autumn(db: None) -> Term:
    return save_term(code="2026-1", name="Autumn 2026", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 31))


@pytest.fixture
def desk(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def test_a_term_is_made_changed_and_removed_and_the_log_knows(desk: Client, autumn: Term) -> None:
    made = desk.post(TERMS, SPRING, "application/json")
    assert (made.status_code, made.json()) == (201, SPRING)
    assert [term["code"] for term in desk.get(TERMS).json()["results"]] == ["2026-2", "2026-1"]

    changed = desk.patch(f"{TERMS}2026-2/", {"ends_on": "2027-06-01"}, "application/json")
    assert (changed.status_code, changed.json()) == (200, SPRING | {"ends_on": "2027-06-01"})
    assert desk.delete(f"{TERMS}2026-2/").status_code == 204
    assert desk.get(f"{TERMS}2026-2/").status_code == 404

    acts = list(Entry.objects.order_by("number").values_list("action", flat=True))
    assert acts == ["term.create", "term.create", "term.change", "term.delete"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "2026-1"),
        ("code", "a b"),
        ("name", ""),
        ("name", "x" * 81),
        ("starts_on", "someday"),
        ("starts_on", "2026-12-31"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(desk: Client, autumn: Term, field: str, value: str) -> None:
    answer = desk.post(TERMS, SPRING | {field: value}, "application/json")

    assert answer.status_code == 400
    assert set(answer.json()["error"]["fields"]) == {field}
    assert list(Term.objects.values_list("name", flat=True)) == [autumn.name]


@pytest.mark.parametrize(("field", "value"), [("code", "2026-3"), ("starts_on", "2026-09-02")])
def test_a_term_keeps_its_code_and_once_begun_its_first_day(desk: Client, autumn: Term, field: str, value: str) -> None:
    answer = desk.patch(f"{TERMS}2026-1/", {field: value}, "application/json")

    assert (answer.status_code, set(answer.json()["error"]["fields"])) == (400, {field})


def test_a_term_that_has_begun_stays(desk: Client, autumn: Term) -> None:
    assert desk.delete(f"{TERMS}2026-1/").status_code == 404
    assert Term.objects.get() == autumn


def test_a_student_reads_and_writes_nothing(client: Client, sara: User, autumn: Term) -> None:
    client.force_login(sara)

    assert [term["name"] for term in client.get(TERMS).json()["results"]] == ["Autumn 2026"]
    assert client.get(f"{TERMS}2026-1/").json()["starts_on"] == "2026-09-01"
    assert client.post(TERMS, SPRING, "application/json").status_code == 403
    assert client.patch(f"{TERMS}2026-1/", {"name": "Mine"}, "application/json").status_code == 403
    assert client.delete(f"{TERMS}2026-1/").status_code == 403


def test_the_admin_shows_terms_to_read(desk: Client, autumn: Term) -> None:
    assert "Autumn 2026" in desk.get("/admin/courses/term/").content.decode()
    assert desk.get("/admin/courses/term/add/").status_code == 403
