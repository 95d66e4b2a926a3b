"""More, when justified: who may ask, who may decide, how much, and what everybody is told."""

from datetime import UTC, date, datetime

import pytest
from django.conf import LazySettings
from django.core import mail

from accounts.models import User
from core.errors import InvalidRequest, NotFound
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas import services
from quotas.errors import OverApproverLimit
from quotas.models import Grant, Request
from quotas.selectors import list_decidable_requests, nearest_standing
from quotas.types import RequestState, Unit
from tests.quotas.conftest import Travel, principal

NOVEMBER = datetime(2026, 11, 22, 4, tzinfo=UTC)


@pytest.fixture
def course(sara: User, ines: User, travel: Travel) -> Course:
    travel(NOVEMBER)
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enroll(course=course, user=sara)
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    services.set_approver_limit(unit=Unit.PROMPTS, at_once=30, a_month=50)
    return course


def asked(user: User, course: Course | None, amount: int = 30) -> Request:
    course_id = course.pk if course else None
    return services.ask(
        principal=principal(user), unit=Unit.PROMPTS, amount=amount, reason="The lab report", course_id=course_id
    )


def test_the_instructor_grants_a_part_until_the_course_ends(sara: User, ines: User, course: Course) -> None:
    request = asked(sara, course)
    services.grant_request(principal=principal(ines), request_id=request.pk, amount=20, answer="Enough for two labs")
    request.refresh_from_db()
    assert (request.state, request.answer, request.decided_by) == (RequestState.GRANTED, "Enough for two labs", ines)
    assert request.grant is not None
    assert request.grant.allowance.expires_at == datetime(2026, 12, 20, 16, tzinfo=UTC)
    assert nearest_standing(principal(sara)).extra == 20


def test_a_refusal_needs_its_sentence_and_is_decided_once(sara: User, ines: User, course: Course) -> None:
    request = asked(sara, course)
    with pytest.raises(InvalidRequest):
        services.refuse_request(principal=principal(ines), request_id=request.pk, answer=" ")
    services.refuse_request(principal=principal(ines), request_id=request.pk, answer="Ask after the midterm")
    with pytest.raises(NotFound):
        services.grant_request(principal=principal(ines), request_id=request.pk, amount=1)
    assert not Grant.objects.exists()


def test_nobody_decides_about_others_courses_or_their_own_request(
    sara: User, omar: User, ines: User, root: User, course: Course
) -> None:
    own = asked(ines, None, amount=5)
    private = asked(omar, None)
    assert list(list_decidable_requests(principal(ines))) == []
    assert {r.pk for r in list_decidable_requests(principal(root))} == {own.pk, private.pk}
    for person in (ines, sara, omar):
        with pytest.raises(NotFound):
            services.grant_request(principal=principal(person), request_id=private.pk, amount=1)
    with pytest.raises(InvalidRequest):
        asked(omar, course)


def test_an_instructor_stays_within_the_limits_and_an_administrator_is_not_bound(
    sara: User, omar: User, ines: User, root: User, course: Course
) -> None:
    request = asked(sara, course, amount=200)
    with pytest.raises(OverApproverLimit):
        services.grant_request(principal=principal(ines), request_id=request.pk, amount=31)
    services.grant_request(principal=principal(ines), request_id=request.pk, amount=30)
    enroll(course=course, user=omar)
    with pytest.raises(OverApproverLimit):  # 30 + 2 × 15 is more than 50 in the month
        services.grant_to_course(principal=principal(ines), course=course, amount=15, reason="All")
    services.grant_to_course(principal=principal(ines), course=course, amount=10, reason="All")
    services.grant_to_course(principal=principal(root), course=course, amount=500, reason="All")
    assert nearest_standing(principal(omar)).extra == 510


@pytest.mark.parametrize(("amount", "reason"), [(0, "x"), (-1, "x"), (10**13, "x"), (5, " ")])
def test_a_request_for_nothing_or_without_a_reason_is_refused(db: None, sara: User, amount: int, reason: str) -> None:
    with pytest.raises(InvalidRequest):
        services.ask(principal=principal(sara), unit=Unit.PROMPTS, amount=amount, reason=reason)


def test_the_same_is_not_asked_twice_while_the_answer_is_to_come(sara: User, course: Course) -> None:
    first = asked(sara, course)
    with pytest.raises(InvalidRequest):
        asked(sara, course)
    services.withdraw_request(principal=principal(sara), request_id=first.pk)
    assert asked(sara, course).pk != first.pk


@pytest.mark.parametrize("amount", [0, 31])
def test_no_more_is_given_than_was_asked(sara: User, root: User, course: Course, amount: int) -> None:
    request = asked(sara, course)
    with pytest.raises(InvalidRequest):
        services.grant_request(principal=principal(root), request_id=request.pk, amount=amount)


def test_the_instructor_and_then_the_student_are_told_once_each_in_their_language(
    sara: User, ines: User, course: Course, settings: LazySettings
) -> None:
    settings.SITE_URL = "https://ai.example.edu"
    User.objects.filter(pk=sara.pk).update(language="zh-hant")
    request = asked(sara, course)
    assert [services.send_requests(), services.send_requests()] == [1, 0]
    services.grant_request(principal=principal(ines), request_id=request.pk, amount=20, answer="Good luck")
    assert [services.send_requests(), services.send_requests()] == [1, 0]
    to_ines, to_sara = mail.outbox
    assert f"https://ai.example.edu/review/requests/?decide={request.pk}" in to_ines.body
    assert "https://ai.example.edu/usage/requests/" in to_sara.body
    assert (to_ines.to, to_sara.to) == ([ines.email], [sara.email])
    assert "Sara Chan asks for 30 prompts" in to_ines.body
    assert "The lab report" in to_ines.body
    assert "已批出" in to_sara.subject
    assert "Good luck" in to_sara.body
