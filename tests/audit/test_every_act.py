"""Every act of administrators and teachers is done once, through its door, and found in the audit log.

What is an act is read from the URL configuration, and acts.py beside this file says how each is done and what the log
says then: whoever adds a door adds a line there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.http import HttpResponseBase
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from audit.admin import ReadOnlyAdmin, RecordedAdmin
from audit.models import Entry
from chat.models import Conversation
from core import clock
from courses.models import Course, Enrollment
from courses.services import (
    ask_permission,
    create_assignment,
    create_course,
    create_exam,
    except_from_exam,
    publish_rule,
    update_course,
)
from courses.types import Approach, Readers
from policies.models import ClauseVersion
from quotas.services import set_approver_limit, set_quota
from quotas.types import Unit
from tests.audit.acts import ACTS, EXEMPT, Act
from tests.authorization.conftest import COURSE, World, cast, in_one_thread, world  # noqa: F401  # fixtures
from tests.authorization.test_matrix import address_of, list_routes, shown, written
from usage.models import Alarm
from usage.types import AlarmKind

OFFICES = ("/manage/", "/review/", "/requests/", "/reports/")  # pages for administrators and teachers alone
LATER = datetime(2098, 12, 1, tzinfo=UTC)


@pytest.fixture
def office(world: World, sara: User, ines: User) -> World:  # noqa: F811
    """The small university with something to do in it for everybody."""
    course = Course.objects.get(code=COURSE)
    update_course(course_id=course.pk, ends_on=LATER.date())  # chats of a course that is over are closed
    mistake = create_course(code="COMP9999", title="A mistake", starts_on=LATER.date(), ends_on=LATER.date())
    about: Any = {"course_id": course.pk, "by_id": ines.pk}
    publish_rule(**about, approach=Approach.PERMISSION, allowed_tools=["chat"], readers=Readers.INSTRUCTORS)
    exam = create_exam(**about, title="Midterm", starts_at=LATER, ends_at=LATER + timedelta(hours=2))
    work = create_assignment(course_id=course.pk, code="A1", title="First", opens_at=clock.now(), due_at=LATER)
    set_approver_limit(unit=Unit.PROMPTS, at_once=10, a_month=100)
    quota = set_quota(limit=35)
    world.things.update(
        {
            "assignment": work.code,
            "exam_id": exam.pk,
            "exception_id": except_from_exam(**about, exam_id=exam.pk, email=sara.email, reason="Ill").pk,
            "permission_id": ask_permission(user_id=sara.pk, code=COURSE, reason="An essay").pk,
            "conversation_id": Conversation.objects.create(user=sara, course=course).pk,
            "quota_id": quota.pk,
            "quotas/pk": quota.pk,
            "alarm_id": Alarm.objects.create(kind=AlarmKind.REFUSALS, window="2098-12-01").pk,
            "unused_course_id": mistake.pk,
            "enrollment_id": world.things["enrollments/pk"],
            "authenticator_id": Authenticator.objects.create(user=sara, type="totp", data={}).pk,
            "address_id": EmailAddress.objects.create(user=sara, email=sara.email).pk,
        }
    )
    return world


def test_every_door_of_office_is_in_the_table(office: World) -> None:
    doors = {*list_writes(office), *list_exports(office)}
    listed = {act.door.partition("?")[0] for act in ACTS if "/admin/" not in act.door} | EXEMPT.keys()
    said = ["What an administrator or teacher does is recorded. In tests/audit/acts.py"]
    if missing := doors - listed:
        said += ["say how it is done and what the log says then, or why it is no act of office:", *sorted(missing)]
    if gone := listed - doors:
        said += ["take out what is not there:", *sorted(gone)]
    assert len(said) == 1, "\n".join(said)


def test_what_is_kept_from_students_lies_where_the_table_looks() -> None:
    offices = {key for key, words in written().items() if words.split()[1] == "403" and "yes" in words}
    assert [key for key in offices if not key.split()[1].startswith((*OFFICES, "/api/"))] == []


def test_every_act_is_recorded_with_who_did_it(office: World) -> None:
    people = {"administrator": "root@example.edu", "instructor": "ines@example.edu", "student": "sara@example.edu"}
    wrong = {}
    for act in ACTS:
        status, entries = done(office, act)
        door = "api" if "/api/" in act.door else "page"
        found = [(entry.action, entry.actor, entry.through) for entry in entries]
        wanted = [(action, people[act.by], door) for action in act.recorded.split()]
        if status >= 400 or found != wanted:
            wrong[f"{act.door} {act.sent}"] = (status, found)
    assert wrong == {}


def test_what_is_refused_is_not_recorded(office: World) -> None:
    refused = 0
    for act in ACTS:
        for attempt in (Act(act.door, "", who=act.by), Act(act.door, "", act.sent, who="student")):
            status, entries = done(office, attempt)
            if status >= 400:
                refused += 1
                assert entries == [], f"{attempt.who}: {attempt.door}"
    assert refused > len(ACTS)


def test_djangos_admin_writes_nothing_unrecorded() -> None:
    through_services = {User, Course, Enrollment, ClauseVersion}
    kinds = (ReadOnlyAdmin, RecordedAdmin)
    assert {model for model, door in admin.site._registry.items() if not isinstance(door, kinds)} == through_services


# ---- inside ----------------------------------------------------------------------------------------------------------


def list_writes(office: World) -> Iterator[str]:
    """Every door of the offices and of the API through which something is changed, as the table has it."""
    for route in routes():
        for method in ("POST", "PUT", "PATCH", "DELETE") if route.startswith("/api/") else ("POST",):
            if office.ask("administrator", method, address_of(route, office)) != 405:
                yield f"{method} {shown(route)}"


def list_exports(office: World) -> Iterator[str]:
    """Every page of the offices that is a file, or becomes one."""
    for route in routes():
        if not route.startswith("/api/"):
            act = Act(f"GET {shown(route)}?format=csv", "")
            with office.undone(act.by) as client:
                if answer(client, act, office)["Content-Type"].startswith("text/csv"):
                    yield f"GET {shown(route)}"


def routes() -> list[str]:
    return [route for route in list_routes(get_resolver().url_patterns) if route.startswith((*OFFICES, "/api/"))]


def done(office: World, act: Act) -> tuple[int, list[Entry]]:
    """Do it and undo it: the status, and what the log had more in between."""
    with office.undone(act.by) as client:
        if act.after:
            answer(client, act.after, office)
        known = Entry.objects.count()
        status = answer(client, act, office).status_code
        return status, list(Entry.objects.order_by("number")[known:])


def answer(client: Client, act: Act, office: World) -> HttpResponseBase:
    method, door = act.door.split()
    sent: dict[str, Any] = {
        name: value.format(**office.things) if isinstance(value, str) else value for name, value in act.sent.items()
    }
    body, kind = (json.dumps(sent), "json") if "/api/" in door else (urlencode(sent), "x-www-form-urlencoded")
    return client.generic(method, address_of(door, office), body, f"application/{kind}")
