"""A course's pool: it pays first, within each student's cap; then the person, or nobody; never below zero (D12)."""

from collections import Counter
from datetime import date
from functools import partial

import pytest
from django.db import transaction

from accounts.models import User
from core.ids import new_id
from core.types import Operation, Via
from courses.models import Course, Enrollment
from courses.services import create_course, enroll
from quotas import services
from quotas.errors import QuotaExhausted
from quotas.models import Allowance, Quota
from quotas.selectors import find_differences, nearest_standing
from quotas.types import Purse, Reserved, Unit, WhenEmpty
from tests.quotas.conftest import principal
from tests.racing import race


@pytest.fixture
def course(sara: User) -> Course:
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enroll(course=course, user=sara)
    return course


def open_pool(course: Course, units: int, *, cap: int | None = None, when_empty: WhenEmpty = WhenEmpty.REFUSE) -> None:
    services.set_pool(course_id=course.pk, when_empty=when_empty, cap=cap, add=units, reason="Fund 7", by_id=None)


def ask(user: User, course: Course, prompts: int = 1) -> Reserved:
    with transaction.atomic():
        return services.reserve(
            call_id=new_id(),
            principal=principal(user),
            amounts={Unit.PROMPTS: prompts},
            operation=Operation.CHAT,
            model="smollm2",
            course_code=course.code,
            course_id=course.pk,
            via=Via.WEB,
        )


def held(course: Course) -> int:
    return Allowance.objects.get(course=course, purse=Purse.POOL).held


def test_the_pool_pays_and_the_person_keeps_their_own(sara: User, course: Course) -> None:
    open_pool(course, 100)
    ask(sara, course, prompts=3)
    assert held(course) == 3
    assert nearest_standing(principal(sara)).left == 20
    assert find_differences() == []


def test_nobody_takes_more_than_the_cap_and_then_their_own_pays_where_the_pool_says_so(
    sara: User, course: Course
) -> None:
    open_pool(course, 100, cap=5, when_empty=WhenEmpty.PERSONAL)
    for _ in range(7):
        ask(sara, course)
    assert held(course) == 5
    assert nearest_standing(principal(sara)).left == 18
    assert find_differences() == []


def test_an_empty_pool_refuses_where_it_says_so_and_is_named(sara: User, course: Course) -> None:
    open_pool(course, 2)
    ask(sara, course, prompts=2)
    with pytest.raises(QuotaExhausted) as refusal:
        ask(sara, course)
    assert "COMP1117" in refusal.value.standing.name
    assert nearest_standing(principal(sara)).left == 20


def test_a_closed_pool_pays_nothing_and_a_call_without_the_course_neither(sara: User, course: Course) -> None:
    open_pool(course, 50)
    services.set_pool(course_id=course.pk, is_open=False, by_id=None)
    ask(sara, course)
    assert held(course) == 0
    assert nearest_standing(principal(sara)).left == 19


def test_a_cap_is_changed_and_taken_away(sara: User, course: Course) -> None:
    open_pool(course, 50, cap=5)
    open_pool(course, 1, cap=7)
    assert Quota.objects.get(ends_at=None, scope="pool:COMP1117").limit == 7
    services.set_pool(course_id=course.pk, by_id=None)
    assert not Quota.objects.filter(ends_at=None, scope="pool:COMP1117").exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when_empty", [WhenEmpty.REFUSE, WhenEmpty.PERSONAL])
def test_two_hundred_students_racing_for_a_hundred_and_fifty_never_take_more(
    sara: User, course: Course, when_empty: WhenEmpty
) -> None:
    open_pool(course, 150, cap=1, when_empty=when_empty)
    crowd = User.objects.bulk_create(User(email=f"s{n}@example.edu", name=f"S{n}") for n in range(200))
    Enrollment.objects.bulk_create(Enrollment(course=course, user=user) for user in crowd)
    results = race([partial(ask, user, course) for user in crowd])
    refused = Counter(isinstance(result, QuotaExhausted) for result in results)
    assert held(course) == 150
    assert refused == ({False: 150, True: 50} if when_empty == WhenEmpty.REFUSE else {False: 200})
    assert find_differences() == []
