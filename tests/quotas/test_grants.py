"""Grants with an end of their own, purchases, and the order in which a call is paid (D12)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.errors import InvalidRequest
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, LedgerEntry
from quotas.selectors import find_differences, nearest_standing
from quotas.services.grants import book_purchase
from quotas.types import EntryKind, Purse, Unit
from tests.quotas.conftest import Travel, principal, reserve, use

NOVEMBER = datetime(2026, 11, 22, 4, tzinfo=UTC)
DECEMBER = datetime(2026, 11, 30, 16, tzinfo=UTC)


def given(user: User, amount: int, *, days: int) -> None:
    ends_at = NOVEMBER + timedelta(days=days)
    services.grant(user_id=user.pk, amount=amount, reason="lab", by_id=None, expires_at=ends_at)


def used(user: User) -> list[tuple[str, int]]:
    rows = Allowance.objects.filter(user=user, used__gt=0).order_by("purse", "expires_at")
    return [(row.purse, row.used) for row in rows]


def test_the_month_goes_first_then_grants_by_their_end_then_what_was_bought(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    services.set_quota(limit=2)
    book_purchase(user_id=sara.pk, unit=Unit.PROMPTS, amount=3, reason="Bought")
    given(sara, 2, days=60)
    given(sara, 2, days=30)
    standing = nearest_standing(principal(sara))
    assert (standing.limit, standing.extra, standing.left) == (2, 7, 9)
    seen = []
    for _ in range(9):
        use(sara)
        seen.append(used(sara))
    grant, bought = Purse.GRANT.value, Purse.PURCHASED.value
    assert seen[1] == [("period", 2)]
    assert seen[3] == [(grant, 2), ("period", 2)]  # the one that ends first
    assert seen[5] == [(grant, 2), (grant, 2), ("period", 2)]
    assert seen[8] == [(grant, 2), (grant, 2), ("period", 2), (bought, 3)]
    with pytest.raises(QuotaExhausted):
        reserve(sara)
    assert find_differences() == []


def test_one_call_may_be_paid_from_several_purses(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    services.set_quota(limit=2)
    given(sara, 5, days=30)
    reserve(sara, prompts=4)
    assert nearest_standing(principal(sara)).left == 3
    assert find_differences() == []


def test_in_a_new_month_the_month_is_new_and_the_rest_of_a_grant_is_still_there(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    services.set_quota(limit=1)
    given(sara, 5, days=30)
    use(sara, prompts=3)
    travel(DECEMBER)
    assert nearest_standing(principal(sara)).left == 1 + 3


def test_what_is_left_of_a_grant_lapses_at_its_end_and_the_books_say_so(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    services.set_quota(limit=1)
    given(sara, 5, days=1)
    use(sara, prompts=3)
    assert services.lapse_grants() == 0
    travel(NOVEMBER + timedelta(days=1))
    assert nearest_standing(principal(sara)).left == 0  # before anybody wrote it off
    with pytest.raises(QuotaExhausted):
        reserve(sara)
    assert [services.lapse_grants(), services.lapse_grants()] == [1, 0]
    entry = LedgerEntry.objects.get(kind=EntryKind.LAPSE)
    assert (entry.delta_granted, entry.granted_after, entry.left_after) == (-3, 2, 0)
    assert find_differences() == []


def test_a_call_that_is_under_way_when_its_grant_ends_is_still_paid_by_it(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    services.set_quota(limit=0)
    given(sara, 5, days=1)
    call = reserve(sara, prompts=2).call_id
    services.dispatch(call_id=call)
    travel(NOVEMBER + timedelta(days=1))
    services.lapse_grants()
    assert services.settle(call_id=call)
    assert services.close(call_id=call)
    assert find_differences() == []


def test_a_whole_course_is_granted_in_a_constant_number_of_statements(sara: User, omar: User, travel: Travel) -> None:
    travel(NOVEMBER)

    def statements(people: list[User]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            services.grant_to_many(
                user_ids=[p.pk for p in people], amount=2, reason="all", by_id=None, expires_at=DECEMBER
            )
        return len(captured)

    one = statements([sara])
    crowd = [User.objects.create_user(f"p{n}@example.edu", None, name="P") for n in range(40)]
    assert statements([sara, omar, *crowd]) == one
    assert nearest_standing(principal(sara)).extra == 4
    assert nearest_standing(principal(omar)).extra == 2


def test_a_grant_does_not_end_in_the_past(sara: User, travel: Travel) -> None:
    travel(NOVEMBER)
    with pytest.raises(InvalidRequest):
        given(sara, 1, days=0)
    assert not Allowance.objects.exists()
