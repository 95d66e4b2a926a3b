"""A teacher writes a course's AI rule, exams, permissions; strangers find nothing; mistakes keep what was typed."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import localtime

from accounts.models import User
from core import clock
from courses.models import Assignment, Course, CourseRule, ExamException, ExamWindow, Permission
from courses.services import accept_rule, ask_permission, publish_rule
from tests.courses.conftest import comp1117

__all__ = ["comp1117"]

RULE = {
    "approach": "acknowledgment",
    "scale": "2",
    "allowed_tools": ["chat"],
    "note": "Use it to plan your program.",
    "declaration": "Name the model and the day.",
    "instructions": "Never write code.",
    "readers": "instructors",
    "asks_again": "on",
}


@pytest.fixture
def teacher(client: Client, comp1117: Course, ines: User) -> Client:
    client.force_login(ines)
    return client


def moment(hours: int) -> str:
    return f"{localtime(clock.now() + timedelta(hours=hours)):%Y-%m-%dT%H:%M}"


def test_a_teacher_publishes_a_rule_and_the_next_version_begins_from_it(teacher: Client) -> None:
    page = teacher.get("/review/COMP1117/rule/")
    assert "No rule yet" in page.text
    answer = teacher.post("/review/COMP1117/rule/", RULE, follow=True)
    rule = CourseRule.objects.get()
    assert (rule.approach, rule.scale, rule.allowed_tools, rule.readers) == (
        "acknowledgment",
        2,
        ["chat"],
        "instructors",
    )
    assert "Never write code." in answer.text and "Version 1" in answer.text


def test_the_teacher_reads_how_many_accepted_each_version(teacher: Client, comp1117: Course, sara: User) -> None:
    teacher.post("/review/COMP1117/rule/", RULE)
    accept_rule(user_id=sara.pk, rule_id=CourseRule.objects.get().pk, language="en")
    teacher.post("/review/COMP1117/rule/", RULE | {"note": "Another rule."})
    assert re.findall(r'<td class="number">(.*)</td>', teacher.get("/review/COMP1117/rule/").text) == ["0", "1"]


def test_a_rule_that_contradicts_itself_keeps_what_was_typed(teacher: Client) -> None:
    answer = teacher.post("/review/COMP1117/rule/", RULE | {"scale": "1"})
    assert answer.status_code == 400
    assert "belong together" in answer.text and "Use it to plan your program." in answer.text
    assert not CourseRule.objects.exists()


def test_an_assignment_gets_a_rule_of_its_own(teacher: Client) -> None:
    made = {"code": "A2", "title": "Essay", "opens_at": moment(-1), "due_at": moment(5)}
    teacher.post("/review/COMP1117/assignments/", made)
    teacher.post("/review/COMP1117/rule/A2/", RULE | {"readers": "nobody"})
    assert CourseRule.objects.get().assignment == Assignment.objects.get()
    kept = teacher.post("/review/COMP1117/assignments/A2/remove/")
    assert kept.status_code == 400 and "so it stays" in kept.text
    wrong = teacher.post("/review/COMP1117/assignments/", made | {"code": "A3", "due_at": moment(-3)})
    assert wrong.status_code == 400 and "The end lies before the beginning" in wrong.text
    assert teacher.get("/review/COMP1117/rule/A9/").status_code == 404


def test_an_exam_is_announced_excepted_from_and_called_off(teacher: Client, sara: User) -> None:
    teacher.post("/review/COMP1117/exams/", {"title": "Midterm", "starts_at": moment(2), "ends_at": moment(4)})
    exam = ExamWindow.objects.get()
    stranger = teacher.post(f"/review/COMP1117/exams/{exam.pk}/exceptions/", {"email": "x@y.edu", "reason": "Why"})
    assert stranger.status_code == 400 and "No student of this course" in stranger.text
    teacher.post(f"/review/COMP1117/exams/{exam.pk}/exceptions/", {"email": sara.email, "reason": "Reads by ear"})
    page = teacher.get("/review/COMP1117/exams/")
    assert "Reads by ear" in page.text
    teacher.post(f"/review/COMP1117/exceptions/{ExamException.objects.get().pk}/remove/")
    assert not ExamException.objects.exists()
    teacher.post(f"/review/COMP1117/exams/{exam.pk}/end/")
    assert not ExamWindow.objects.exists()


def test_a_permission_is_decided_with_a_sentence(teacher: Client, comp1117: Course, sara: User, ines: User) -> None:
    asked = ask_permission(user_id=sara.pk, code="COMP1117", reason="It reads to me")
    here = f"/review/COMP1117/permissions/{asked.pk}/"
    declined = teacher.post(here, {"decision": "decline"})
    assert declined.status_code == 400 and "Write a sentence" in declined.text
    teacher.post(here, {"decision": "give", "answer": "Of course."})
    assert Permission.objects.get().is_given is True
    assert "Of course." in teacher.get("/review/COMP1117/permissions/").text
    assert teacher.post(here, {"decision": "dance"}).status_code == 404
    assert "Nobody is waiting" in teacher.get("/review/COMP1117/permissions/").text
    assert "Take it back" in teacher.get(f"/review/COMP1117/permissions/?decide={asked.pk}").text
    assert teacher.post(here, {"decision": "withdraw", "answer": "Not any more."}).status_code == 302
    assert Permission.objects.get().is_given is False


def test_many_who_ask_wait_in_turn_and_are_found_by_name(teacher: Client, comp1117: Course) -> None:
    crowd = User.objects.bulk_create(User(email=f"p{n}@example.edu", name=f"Person {n:02}") for n in range(60))
    Permission.objects.bulk_create(Permission(course=comp1117, user=person, reason="?") for person in crowd)
    page = teacher.get("/review/COMP1117/permissions/")
    assert len(page.context["waiting"]) == 20
    assert len(page.context["list"]["window"].rows) == 50
    one = Permission.objects.get(user__name="Person 57")
    narrowed = teacher.get("/review/COMP1117/permissions/", {"search": "person 57", "decide": str(one.pk)})
    assert narrowed.context["list"]["window"].rows == [one]
    assert narrowed.context["waiting"][0] == one
    assert teacher.get("/review/COMP1117/permissions/", {"state": "x"}).status_code == 400


@pytest.mark.parametrize("who", ["sara", "omar", "root"])
@pytest.mark.parametrize("page", ["rule/", "exams/", "permissions/", "chats/"])
def test_who_does_not_teach_the_course_finds_nothing(
    client: Client, comp1117: Course, request: pytest.FixtureRequest, who: str, page: str
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.get(f"/review/COMP1117/{page}").status_code in (403, 404)


def test_a_student_reads_accepts_and_asks_on_the_page_of_the_course(
    client: Client, comp1117: Course, sara: User, ines: User
) -> None:
    said: dict[str, Any] = {"approach": "permission", "allowed_tools": ["chat"], "note": "Ask me first."}
    rule = publish_rule(course_id=comp1117.pk, by_id=ines.pk, **said)
    client.force_login(sara)
    assert "to be accepted" in client.get("/courses/").text
    page = client.get("/courses/COMP1117/")
    assert "Ask me first." in page.text and "I have read the AI rule of COMP1117, version 1" in page.text
    client.post("/courses/COMP1117/accept/", {"rule": rule.pk, "next": "https://elsewhere.example/"})
    assert rule.acceptances.get().user == sara
    assert "You have accepted this rule." in client.get("/courses/COMP1117/").text
    empty = client.post("/courses/COMP1117/permission/", {"reason": " "})
    assert empty.status_code == 400 and "the teacher decides by it" in empty.text
    client.post("/courses/COMP1117/permission/", {"reason": "It reads to me"})
    assert "Your teacher has not decided yet" in client.get("/courses/COMP1117/").text


def test_a_rule_that_was_replaced_while_it_was_read_is_not_accepted(
    client: Client, comp1117: Course, sara: User, ines: User
) -> None:
    said: dict[str, Any] = {"approach": "free", "allowed_tools": ["chat"]}
    old = publish_rule(course_id=comp1117.pk, by_id=ines.pk, **said)
    publish_rule(course_id=comp1117.pk, by_id=ines.pk, **said)
    client.force_login(sara)
    answer = client.post("/courses/COMP1117/accept/", {"rule": old.pk})
    assert answer.status_code == 409 and "newer version of the rule" in answer.text


def test_a_course_of_others_is_not_found(client: Client, comp1117: Course, omar: User) -> None:
    client.force_login(omar)
    assert client.get("/courses/COMP1117/").status_code == 404
    assert client.post("/courses/COMP1117/permission/", {"reason": "me too"}).status_code == 404
