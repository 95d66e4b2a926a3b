"""A teacher opens a student's chat only where the rule said so, only with a reason; the student sees it (D14)."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.types import Role
from audit.models import Entry
from chat.models import Conversation, Message
from core import clock
from courses.models import Course
from courses.services import enroll, publish_rule
from courses.types import CourseRole
from tests.courses.conftest import comp1117
from usage.models import Opening

__all__ = ["comp1117"]

WORDS = "How do I sort a list of ferries?"
LOOK = {"reason": "feedback", "note": "You asked me about question 2."}


def readable(course: Course, by: User, readers: str = "instructors") -> None:
    said: dict[str, Any] = {"approach": "free", "allowed_tools": ["chat"], "readers": readers}
    publish_rule(course_id=course.pk, by_id=by.pk, **said)


def chat_of(person: User, course: Course | None) -> Conversation:
    chat = Conversation.objects.create(user=person, title=WORDS, model="gpt-small", course=course)
    Message.objects.create(conversation=chat, author="person", text=WORDS)
    return chat


@pytest.fixture
def teacher(client: Client, comp1117: Course, ines: User) -> Client:
    client.force_login(ines)
    return client


def test_a_chat_opens_with_a_reason_for_an_hour_and_its_owner_sees_who_looked(
    teacher: Client, comp1117: Course, ines: User, sara: User
) -> None:
    readable(comp1117, ines)
    chat = chat_of(sara, comp1117)
    here = f"/review/COMP1117/chats/{chat.pk}/"

    listed = teacher.get("/review/COMP1117/chats/")
    assert "Sara Chan" in listed.text and WORDS not in listed.text
    assert WORDS not in teacher.get(here).text
    assert teacher.post(here, {"reason": "curiosity", "note": "x"}).status_code == 400
    assert teacher.post(here, {"reason": "feedback", "note": " "}).status_code == 400
    assert not Opening.objects.exists()

    assert WORDS in teacher.post(here, LOOK, follow=True).text
    assert Entry.objects.filter(action="chat.open").count() == 1
    with clock.telling(clock.now() + timedelta(minutes=61)):
        assert WORDS not in teacher.get(here).text

    teacher.force_login(sara)
    seen = teacher.get("/usage/who-looked/")
    assert "Ines Wong" in seen.text and LOOK["note"] in seen.text


def test_chats_begun_before_the_rule_said_so_stay_closed(
    teacher: Client, comp1117: Course, ines: User, sara: User
) -> None:
    before = chat_of(sara, comp1117)
    readable(comp1117, ines)
    during = chat_of(sara, comp1117)
    readable(comp1117, ines, "nobody")
    after = chat_of(sara, comp1117)

    def status(chat: Conversation) -> int:
        return teacher.get(f"/review/COMP1117/chats/{chat.pk}/").status_code

    assert [status(before), status(during), status(after)] == [404, 200, 404]


def test_without_a_rule_no_chat_is_readable(teacher: Client, comp1117: Course, sara: User) -> None:
    chat = chat_of(sara, comp1117)
    assert "lets nobody open its chats" in teacher.get("/review/COMP1117/chats/").text
    assert teacher.get(f"/review/COMP1117/chats/{chat.pk}/").status_code == 404


def test_private_chats_and_those_of_staff_and_assistants_are_never_shown(
    teacher: Client, comp1117: Course, ines: User, sara: User, omar: User
) -> None:
    readable(comp1117, ines)
    enroll(course=comp1117, user=omar, role=CourseRole.ASSISTANT)
    closed = [chat_of(sara, None), chat_of(ines, comp1117), chat_of(omar, comp1117)]
    for chat in closed:
        assert teacher.get(f"/review/COMP1117/chats/{chat.pk}/").status_code == 404
    assert "Omar Lee" not in teacher.get("/review/COMP1117/chats/").text


def test_who_stops_teaching_stops_reading(teacher: Client, comp1117: Course, ines: User, sara: User) -> None:
    readable(comp1117, ines)
    chat = chat_of(sara, comp1117)
    here = f"/review/COMP1117/chats/{chat.pk}/"
    teacher.post(here, LOOK)
    enroll(course=comp1117, user=ines, role=CourseRole.ASSISTANT)
    assert teacher.get(here).status_code == 404


def test_long_after_the_course_nothing_is_opened(teacher: Client, comp1117: Course, ines: User, sara: User) -> None:
    readable(comp1117, ines)
    chat = chat_of(sara, comp1117)
    Course.objects.filter(pk=comp1117.pk).update(ends_on=clock.local_day(clock.now()) - timedelta(days=61))
    assert teacher.get(f"/review/COMP1117/chats/{chat.pk}/").status_code == 404


def test_a_student_of_the_course_cannot_open_a_fellow_students_chat(
    client: Client, comp1117: Course, ines: User, sara: User, omar: User
) -> None:
    readable(comp1117, ines)
    enroll(course=comp1117, user=omar)
    chat = chat_of(sara, comp1117)
    for role in (Role.STUDENT, Role.STAFF):
        User.objects.filter(pk=omar.pk).update(role=role)
        client.force_login(omar)
        assert client.post(f"/review/COMP1117/chats/{chat.pk}/", LOOK).status_code == 403
    assert not Opening.objects.exists()
