"""seed_demo: a university to look at, told through the real services, once."""

import json
from datetime import UTC, datetime
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
from quotas.selectors import count_open, find_differences, nearest_standing
from usage.models import RollupDay, UsageRecord
from usage.types import Outcome

LOGINS = ("student", "student2", "instructor", "admin")
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("seed_demo", *arguments, stdout=out)
    return out.getvalue()


def demo(login: str) -> User:
    return get_person(f"{login}@example.edu")


def test_the_university_opens_with_clean_books_and_a_first_page_to_see(db: None, settings: LazySettings) -> None:
    settings.DEMO_PASSWORD = ""
    with clock.telling(NOW):
        told = json.loads(run("--json"))
        assert find_differences() == []
        assert {login["email"] for login in told["logins"]} == {f"{login}@example.edu" for login in LOGINS}
        student, newcomer, instructor, admin = map(demo, LOGINS)
        assert nearest_standing(principal_of(student)).left == 12
        assert nearest_standing(principal_of(newcomer)).used == 0
        assert list_outstanding(newcomer.pk).exists()
        assert not any(list_outstanding(person.pk).exists() for person in (student, instructor, admin))
        assert not any(count_open(user.pk) for user in User.objects.all())

    assert Client().login(username="student@example.edu", password=told["password"])
    assert sum(user.has_usable_password() for user in User.objects.all()) == len(LOGINS), "nobody else can sign in"

    assert {*UsageRecord.objects.values_list("outcome", flat=True)} == {*Outcome.values}
    assert UsageRecord.objects.filter(code="insufficient_quota").exists()
    assert {*UsageRecord.objects.values_list("via", flat=True)} == {"web", "api"}
    assert {*Enrollment.objects.values_list("role", flat=True)} == {"student", "assistant", "instructor"}
    assert not RollupDay.objects.filter(complete=False).exists()

    assert UsageRecord.objects.latest("started_at").started_at < NOW
    accepted = dict(Acknowledgment.objects.values_list("user_id", "at"))
    records = UsageRecord.objects.values_list("user_id", "started_at")
    assert all(accepted[user_id] < started_at for user_id, started_at in records), "clauses come first"

    assert Conversation.objects.filter(user=student).count() == Conversation.objects.count() == 4
    for conversation in Conversation.objects.all():
        told_at = [message.created_at for message in conversation.messages.all()]
        assert told_at == sorted(told_at), "a talk is read in the order it was held"
    calls = Message.objects.exclude(call_id=None).values_list("call_id", flat=True)
    assert UsageRecord.objects.filter(call_id__in=calls, user=student, outcome=Outcome.SERVED).count() == 8


def test_a_month_that_is_twenty_minutes_old_is_told_too(db: None, settings: LazySettings) -> None:
    settings.DEMO_PASSWORD = "demo"
    with clock.telling(datetime(2024, 2, 29, 16, 20, tzinfo=UTC)):
        run()
        assert find_differences() == []
        assert nearest_standing(principal_of(demo("student"))).left == 12
    assert demo("admin").check_password("demo")
    settings.DEMO_PASSWORD = "another one"
    run("--new-password")
    assert demo("admin").check_password("another one")


def test_where_there_are_people_nothing_is_changed(sara: User) -> None:
    assert "nothing was changed" in run()
    assert User.objects.get() == sara


def test_where_nobody_of_the_demo_is_no_password_is_changed(sara: User) -> None:
    with pytest.raises(CommandError, match="nobody of Harbour University"):
        run("--new-password")
