"""seed_demo: a university to look at, told through the real services, once."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.authentication import principal_of
from accounts.models import User
from accounts.selectors import get_person
from chat.models import Conversation, Message
from core import clock
from courses.models import Enrollment
from policies.models import Acknowledgment
from policies.selectors import list_outstanding
from quotas.models import Reservation
from quotas.selectors import count_open, find_differences, nearest_standing
from usage.models import RollupDay, UsageRecord
from usage.types import Outcome

LOGINS = ("student", "student2", "instructor", "admin")
MOMENTS = (
    datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
    datetime(2026, 10, 31, 16, 20, tzinfo=UTC),  # a month is twenty minutes old in Hong Kong
    datetime(2024, 2, 29, 23, 0, tzinfo=UTC),
)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("seed_demo", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(params=MOMENTS, ids=str)
def moment(request: pytest.FixtureRequest) -> datetime:
    return request.param  # type: ignore[no-any-return]


def test_the_university_opens_with_clean_books_and_a_first_page_to_see(
    db: None, moment: datetime, settings: LazySettings
) -> None:
    settings.DEMO_PASSWORD = "demo"
    with clock.telling(moment):
        told = run()
        assert all(f"{login}@example.edu" in told for login in LOGINS)
        assert find_differences() == []
        student, newcomer, instructor, admin = (get_person(f"{login}@example.edu") for login in LOGINS)
        assert all(person.check_password("demo") for person in (student, newcomer, instructor, admin))
        assert nearest_standing(principal_of(student)).left == 12
        assert nearest_standing(principal_of(newcomer)).used == 0
        assert list_outstanding(newcomer.pk).exists()
        assert not any(list_outstanding(person.pk).exists() for person in (student, instructor, admin))
        assert not any(count_open(user.pk) for user in User.objects.all())
    assert set(UsageRecord.objects.values_list("outcome", flat=True)) == set(Outcome.values)
    assert UsageRecord.objects.filter(code="insufficient_quota").exists()
    assert {*UsageRecord.objects.values_list("via", flat=True)} == {"web", "api"}
    assert {*Enrollment.objects.values_list("role", flat=True)} == {"student", "assistant", "instructor"}
    assert not RollupDay.objects.filter(complete=False).exists()


def test_nothing_happens_after_now_or_before_the_clauses_were_accepted(db: None) -> None:
    moment = MOMENTS[0]
    with clock.telling(moment):
        run()
    assert UsageRecord.objects.latest("started_at").started_at < moment
    assert Reservation.objects.latest("ended_at").ended_at < moment + timedelta(seconds=1)  # type: ignore[operator]
    accepted = dict(Acknowledgment.objects.values_list("user_id", "at"))
    records = UsageRecord.objects.values_list("user_id", "started_at")
    assert all(accepted[user_id] < started_at for user_id, started_at in records)


def test_the_students_talks_are_the_students_prompts(db: None) -> None:
    run()
    student = get_person("student@example.edu")
    assert Conversation.objects.filter(user=student).count() == Conversation.objects.count() == 4
    calls = Message.objects.exclude(call_id=None).values_list("call_id", flat=True)
    assert UsageRecord.objects.filter(call_id__in=calls, user=student, outcome=Outcome.SERVED).count() == 8


def test_nobody_else_can_sign_in_and_a_password_is_made_up(db: None, settings: LazySettings) -> None:
    settings.DEMO_PASSWORD = ""
    told = json.loads(run("--json"))
    assert {login["email"] for login in told["logins"]} == {f"{login}@example.edu" for login in LOGINS}
    assert Client().login(username="student@example.edu", password=told["password"])
    assert sum(user.has_usable_password() for user in User.objects.all()) == len(LOGINS)


def test_where_there_are_people_nothing_is_changed(sara: User) -> None:
    assert "nothing was changed" in run()
    assert User.objects.get() == sara


def test_the_logins_get_a_new_password_on_request(db: None, settings: LazySettings) -> None:
    with pytest.raises(CommandError, match="nobody of Harbour University"):
        run("--new-password")
    run()
    settings.DEMO_PASSWORD = "another one"
    run("--new-password")
    assert get_person("admin@example.edu").check_password("another one")
