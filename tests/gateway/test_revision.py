"""What a call is decided by is remembered, and never believed when it has changed: by whatever hand (D18, C24-C26)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.errors import AccountSuspended, InvalidApiKey
from accounts.models import ApiKey, User
from accounts.services import create_api_key
from core import clock
from core.ids import new_id
from core.revision import read_revision, watch
from core.types import Operation
from courses.errors import CourseRefused
from courses.models import Course, Enrollment, ExamWindow
from courses.types import CourseRole
from gateway.errors import ModelNotFound
from gateway.services import sync_catalog
from gateway.types import Admission, Asking, Call, Ending, Refused
from gateway.watched import WATCHED
from gateway.writer import admit_soon, conclude_soon
from policies.errors import AcknowledgmentRequired, PolicyRefused
from policies.models import AccessRule, Clause
from policies.selectors import list_current, wordings_of
from policies.services import acknowledge, create_version, install_clauses, publish_version
from quotas.errors import QuotaExhausted
from quotas.services import set_quota
from usage.types import Outcome

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def secret(transactional_db: None, sara: User, settings: Any) -> str:
    """A key of Sara's that is bound to a course of hers; nothing stands in its way."""
    settings.MAX_ATTEMPTS_PER_HOUR = 0
    sync_catalog()
    install_clauses()
    for version in list_current():
        acknowledge(user_id=sara.pk, version_id=version.pk, language="en")
    today = clock.local_day(clock.now())
    course = Course.objects.create(code="COMP1117", title="C", starts_on=today, ends_on=today)
    Enrollment.objects.create(course=course, user=sara, role=CourseRole.STUDENT)
    AccessRule.objects.create(role="staff", operation=Operation.CHAT, is_allowed=False)
    set_quota(limit=100)
    return create_api_key(user_id=sara.pk, name="laptop", course_code="COMP1117")[1]


def call(secret: str) -> object:
    """What becomes of one call, and of no more of it."""

    async def once() -> object:
        call = Call(new_id(), Operation.CHAT, "smollm2-135m-instruct", {"messages": []})
        answer = await admit_soon(Asking(call.id, secret, lambda _extra_fields: call))
        if isinstance(answer, Admission):
            await conclude_soon(answer, Ending(Outcome.SERVED))
        return type(answer.error) if isinstance(answer, Refused) else type(answer)

    return asyncio.run(once())


def sql(statement: str) -> Callable[[], None]:
    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return change


def publish_anew() -> None:
    clause = Clause.objects.first()
    assert clause is not None
    latest = clause.versions.latest("number")
    draft = create_version(clause_id=clause.pk, wordings=wordings_of(latest), asks_again=True)
    publish_version(version_id=draft.pk, by_id=None)


def open_exam() -> None:
    at = clock.now()
    hours = {"starts_at": at - timedelta(hours=1), "ends_at": at + timedelta(hours=1)}
    ExamWindow.objects.create(course=Course.objects.get(), title="Midterm", **hours)


CHANGES = {
    "a key is revoked": (sql("update accounts_apikey set revoked_at = created_at"), InvalidApiKey),
    "a key expires": (sql("update accounts_apikey set expires_at = created_at"), InvalidApiKey),
    "a key is deleted": (sql("delete from accounts_apikey"), InvalidApiKey),
    "a person is suspended": (sql("update accounts_user set is_active = false"), AccountSuspended),
    "a role changes": (sql("update accounts_user set role = 'staff'"), PolicyRefused),
    "a rule of access changes": (sql("update policies_accessrule set role = ''"), PolicyRefused),
    "a rule of access is new": (lambda: AccessRule.objects.create(role="student"), PolicyRefused),
    "a clause is published": (publish_anew, AcknowledgmentRequired),
    "a limit is lowered": (sql('update quotas_quota set "limit" = 0'), QuotaExhausted),
    "a rule is new": (lambda: set_quota(limit=0, role="student"), QuotaExhausted),
    "a model is switched off": (sql("update gateway_model set is_enabled = false"), ModelNotFound),
    "a route is taken away": (sql("update gateway_route set is_enabled = false"), ModelNotFound),
    "an upstream is switched off": (sql("update gateway_upstream set is_enabled = false"), ModelNotFound),
    "a provider is switched off": (sql("update gateway_provider set is_enabled = false"), ModelNotFound),
    "an enrollment ends": (sql("delete from courses_enrollment"), PolicyRefused),
    "an exam begins": (open_exam, CourseRefused),
}


@pytest.mark.parametrize(("change", "error"), CHANGES.values(), ids=CHANGES)
def test_a_change_holds_on_the_very_next_call(secret: str, change: Callable[[], object], error: type) -> None:
    assert call(secret) is call(secret) is Admission
    change()
    assert call(secret) is error


def test_a_change_that_is_taken_back_was_never_there(secret: str) -> None:
    assert call(secret) is Admission
    with transaction.atomic():
        ApiKey.objects.update(revoked_at=clock.now())
        before = read_revision()
        transaction.set_rollback(True)
    assert call(secret) is Admission
    ApiKey.objects.update(revoked_at=clock.now())
    assert read_revision() == before  # the same number, and another truth: nobody remembered the first
    assert call(secret) is InvalidApiKey


def test_what_decides_nothing_leaves_the_memory_alone(secret: str, sara: User) -> None:
    before = read_revision()
    ApiKey.objects.update(last_used_at=clock.now(), name="desktop")
    User.objects.update(last_login=clock.now(), theme="dark")
    create_api_key(user_id=sara.pk, name="another")
    for _ in range(3):
        assert call(secret) is Admission
    assert read_revision() == before


def test_triggers_that_are_lost_come_back_with_the_next_migration(transactional_db: None) -> None:
    watch([watched for watched in WATCHED if watched.table != "accounts_user"])  # as when SQLite's table is rebuilt
    before = read_revision()
    watch(WATCHED)
    User.objects.create_user("new@example.edu", name="New")
    User.objects.update(role="staff")
    assert read_revision() > before + 1
