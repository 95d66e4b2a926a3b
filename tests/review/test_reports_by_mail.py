"""A page of use by mail: the page's own numbers, for who may still see it, once, until it is ended."""

from datetime import date, timedelta

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.types import Role
from core import clock
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from review.reporting import send_reports, span_before
from tests.usage.test_record_usage import record
from usage.models import Subscription
from usage.services import subscribe
from usage.types import Every

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LONG_AGO = date(2026, 1, 1)


@pytest.fixture
def monday() -> date:
    """The first day of the week that is over."""
    return span_before(Every.WEEK, clock.local_day(clock.now()))[0]


@pytest.fixture
def course(ines: User, sara: User) -> Course:
    made = create_course(code="COMP1117", title="Programming", starts_on=LONG_AGO, ends_on=date(2099, 1, 1))
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    return made


def wish(user: User, course: Course | None = None, query: str = "") -> Subscription:
    course_id = course.pk if course else None
    return subscribe(user_id=user.pk, course_id=course_id, query=query, every=Every.WEEK, told_until=LONG_AGO)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert span_before(Every.WEEK, date(2026, 11, 23)) == (date(2026, 11, 16), date(2026, 11, 22))
    assert span_before(Every.WEEK, date(2026, 11, 22)) == (date(2026, 11, 9), date(2026, 11, 15))
    assert span_before(Every.MONTH, date(2026, 1, 1)) == (date(2025, 12, 1), date(2025, 12, 31))


def test_a_week_that_is_over_is_told_once_with_the_numbers_of_the_page(
    root: User, sara: User, monday: date, client: Client, settings: LazySettings
) -> None:
    settings.SITE_URL = "https://ai.example.edu"
    for model, count in (("small", 3), ("large", 2)):
        for _ in range(count):
            record(sara, started_at=clock.start_of(monday + timedelta(days=2)), model=model)
    record(sara, started_at=clock.now(), model="small")
    subscription = wish(root, query="by=model")
    assert send_reports() == 1
    assert send_reports() == 0
    (sent,) = mail.outbox
    assert sent.to == [root.email]
    assert "Prompts: 5" in sent.body and "small: 3" in sent.body and "large: 2" in sent.body
    assert f"https://ai.example.edu/reports/{subscription.token}/" in sent.body

    address = next(line for line in sent.body.splitlines() if "/manage/usage/" in line)
    client.force_login(root)
    page = client.get(address.removeprefix("https://ai.example.edu"))
    assert page.context["total"].prompts == 5


def test_a_small_group_has_no_number_in_a_mail(root: User, sara: User, monday: date) -> None:
    record(sara, started_at=clock.start_of(monday))
    wish(root, query="by=department")
    send_reports()
    assert "Engineering: fewer than 10 people" in mail.outbox[0].body


def test_a_teacher_gets_the_numbers_of_the_course_in_her_language(
    ines: User, sara: User, course: Course, monday: date
) -> None:
    ines.language = "zh-hant"
    ines.save()
    record(sara, started_at=clock.start_of(monday), course_id=course.pk, prompts=7)
    record(sara, started_at=clock.start_of(monday), prompts=50)
    wish(ines, course)
    send_reports()
    (sent,) = mail.outbox
    assert "COMP1117" in sent.subject
    assert "smollm2: 7" in sent.body and "提問" in sent.body


def test_who_may_not_see_the_page_any_more_gets_no_mail(root: User, ines: User, course: Course) -> None:
    wish(root)
    wish(ines, course)
    User.objects.filter(pk=root.pk).update(role=Role.STAFF)
    User.objects.filter(pk=ines.pk).update(is_active=False)
    assert send_reports() == 0
    assert mail.outbox == []


def test_a_page_is_wished_for_where_it_is_shown(root: User, ines: User, course: Course, client: Client) -> None:
    client.force_login(ines)
    assert "This page by mail" in client.get("/review/COMP1117/").content.decode()
    assert client.post("/reports/", {"every": "week"}).status_code == 403  # everyone's use is for administrators
    assert client.post("/reports/", {"every": "week", "course": "OTHER1"}).status_code == 404
    for _ in range(2):
        asked = {"every": "month", "course": "COMP1117", "query": "by=operation&first_day=2026-01-01"}
        assert client.post("/reports/", asked).status_code == 302
    kept = Subscription.objects.get()
    assert (kept.user, kept.course, kept.query, kept.every) == (ines, course, "by=operation", "month")
    assert "COMP1117 Programming" in client.get("/reports/").content.decode()
    assert send_reports() == 0  # the month that is over was over before


def test_one_press_ends_it_and_opening_the_page_does_not(root: User, client: Client) -> None:
    page = f"/reports/{wish(root).token}/"
    assert "No more of these mails" in client.get(page).content.decode()
    assert Subscription.objects.exists()
    assert "It is ended" in client.post(page).content.decode()
    assert not Subscription.objects.exists()
    assert client.get(page).status_code == 404
