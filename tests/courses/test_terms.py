"""The university's terms: they do not overlap, and one that has begun keeps its first day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from core import clock
from core.errors import NotFound
from courses.models import Term
from courses.services import remove_term, save_term

AUTUMN: dict[str, Any] = {
    "code": "2026-1",
    "name": "Autumn 2026",
    "starts_on": date(2026, 9, 1),
    "ends_on": date(2026, 12, 31),
}
SPRING: dict[str, Any] = {
    "code": "2026-2",
    "name": "Spring 2027",
    "starts_on": date(2027, 1, 1),
    "ends_on": date(2027, 5, 31),
}


@pytest.fixture(autouse=True)
def _in_november() -> Iterator[None]:
    with clock.telling(datetime(2026, 11, 22, tzinfo=UTC)):
        yield


@pytest.mark.parametrize(
    ("first", "last"), [((2026, 12, 31), (2027, 2, 1)), ((2026, 8, 1), (2026, 9, 1)), ((2026, 10, 1), (2026, 10, 2))]
)
def test_terms_that_overlap_are_refused(db: None, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    save_term(**AUTUMN)
    with pytest.raises(ValidationError) as refusal:
        save_term(code="x", name="X", starts_on=date(*first), ends_on=date(*last))
    assert "starts_on" in refusal.value.message_dict
    assert Term.objects.count() == 1


def test_a_term_that_ends_before_it_starts_is_refused(db: None) -> None:
    with pytest.raises(ValidationError):
        save_term(**AUTUMN | {"ends_on": date(2026, 8, 1)})


def test_a_term_that_has_begun_keeps_its_first_day_and_may_end_later(db: None) -> None:
    save_term(**AUTUMN)
    assert save_term(**AUTUMN | {"ends_on": date(2027, 1, 10)}).ends_on == date(2027, 1, 10)
    with pytest.raises(ValidationError):
        save_term(**AUTUMN | {"starts_on": date(2026, 9, 2)})
    with pytest.raises(NotFound):
        remove_term(code=AUTUMN["code"])


def test_a_term_to_come_may_move_or_go(db: None) -> None:
    save_term(**SPRING)
    assert save_term(**SPRING | {"starts_on": date(2027, 1, 15)}).starts_on == date(2027, 1, 15)
    remove_term(code=SPRING["code"])
    assert not Term.objects.exists()
