"""Administrators write the university's terms; what cannot be is refused in words at its field."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Entry
from core import clock
from courses.models import Term
from courses.services import save_term

TERMS = "/manage/terms/"


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


def form(**changes: str) -> dict[str, str]:
    return {"code": "2026-2", "name": "Spring", "starts_on": "2027-01-11", "ends_on": "2027-05-31"} | changes


def test_a_term_is_added_changed_and_removed_and_the_log_knows(desk: Client, autumn: Term) -> None:
    assert desk.post(TERMS, form()).status_code == 302
    spring = Term.objects.get(code="2026-2")
    assert [term.code for term in desk.get(TERMS).context["list"]["window"].rows] == ["2026-2", "2026-1"]

    assert desk.post(f"{TERMS}{spring.pk}/", form(ends_on="2027-06-01")).status_code == 302
    assert desk.post(f"{TERMS}{spring.pk}/remove/").status_code == 302

    acts = list(Entry.objects.order_by("number"))
    assert [entry.action for entry in acts] == ["term.create", "term.create", "term.change", "term.delete"]
    assert acts[2].changes == {"ends_on": ["2027-05-31", "2027-06-01"]}


def test_the_list_is_narrowed_by_words_and_by_state(desk: Client, autumn: Term) -> None:
    save_term(code="2026-2", name="Spring 2027", starts_on=date(2027, 1, 11), ends_on=date(2027, 5, 31))

    def found(**asked: str) -> list[str]:
        return [term.code for term in desk.get(TERMS, asked).context["list"]["window"].rows]

    assert found(search="spring") == found(state="to_come") == ["2026-2"]
    assert found(search="2026") == ["2026-2", "2026-1"]
    assert found(search="2026", state="running") == ["2026-1"]
    assert "No term matches" in desk.get(TERMS, {"state": "over"}).text
    assert desk.get(TERMS, {"state": "someday"}).status_code == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", ""),
        ("code", "a b"),
        ("code", "2026-1"),
        ("name", ""),
        ("name", "x" * 81),
        ("starts_on", "someday"),
        ("starts_on", "2026-12-31"),
        ("ends_on", ""),
    ],
)
def test_each_field_refuses_what_it_cannot_keep(desk: Client, autumn: Term, field: str, value: str) -> None:
    response = desk.post(TERMS, form(**{field: value}))

    assert response.status_code == 400
    assert field in response.context["new"].errors
    assert Term.objects.count() == 1


def test_an_overlap_and_reversed_days_are_said_in_words(desk: Client, autumn: Term) -> None:
    overlap = desk.post(TERMS, form(starts_on="2026-12-01")).content.decode()
    assert "It overlaps Autumn 2026." in overlap
    reversed_days = desk.post(TERMS, form(ends_on="2027-01-01")).content.decode()
    assert "The last day lies before the first." in reversed_days


def test_a_term_that_has_begun_keeps_its_first_day_and_stays(desk: Client, autumn: Term) -> None:
    response = desk.post(f"{TERMS}{autumn.pk}/", form(starts_on="2026-09-02", ends_on="2026-12-31"))
    assert "starts_on" in response.context["form"].errors
    assert desk.post(f"{TERMS}{autumn.pk}/remove/").status_code == 404
    assert Term.objects.get().starts_on == date(2026, 9, 1)


def test_terms_are_for_administrators(client: Client, ines: User, autumn: Term) -> None:
    client.force_login(ines)

    assert client.get(TERMS).status_code == 403
    assert client.post(f"{TERMS}{autumn.pk}/", form()).status_code == 403
