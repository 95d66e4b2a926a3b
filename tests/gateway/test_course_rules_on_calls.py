"""The rule of a course holds on every door: chat, images and programs alike, and costs nothing when it says no."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from core import clock
from core.errors import Refusal
from core.ids import new_id
from core.types import Operation, Via
from courses.models import Course, CourseRule
from courses.services import accept_rule, create_exam, publish_rule
from gateway import admission
from gateway.types import Admission, Call
from quotas.selectors import nearest_standing
from tests.courses.conftest import comp1117
from usage.models import UsageRecord

__all__ = ["comp1117"]

MODELS = {Operation.CHAT: "smollm2-135m-instruct", Operation.IMAGE: "placeholder-image"}
BODIES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    Operation.IMAGE: {"prompt": "A pier"},
}
DOORS = [(Operation.CHAT, Via.WEB), (Operation.CHAT, Via.API), (Operation.IMAGE, Via.WEB), (Operation.IMAGE, Via.API)]


@pytest.fixture
def student(catalog: None, caller: Principal, sara: User, comp1117: Course) -> Principal:
    return principal_of(sara)


def ask(person: Principal, operation: Operation, via: Via, tag: str = "COMP1117") -> Admission:
    call = Call(
        id=new_id(), operation=operation, model=MODELS[operation], body=BODIES[operation], course_code=tag, via=via
    )
    return admission.admit(person, call)


def publish(course: Course, by: User, **wording: object) -> CourseRule:
    said = {"approach": "free", "allowed_tools": ["chat", "image"]} | wording
    return publish_rule(course_id=course.pk, by_id=by.pk, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(("operation", "via"), DOORS)
def test_a_course_without_ai_refuses_at_every_door(
    student: Principal, comp1117: Course, ines: User, operation: Operation, via: Via
) -> None:
    publish(comp1117, ines, approach="prohibited", scale=1, allowed_tools=[], note="Write it yourself.")
    before = nearest_standing(student).left

    with pytest.raises(Refusal, match="Write it yourself") as caught:
        ask(student, operation, via)

    assert (caught.value.code, caught.value.status) == ("policy_refused", 403)
    assert nearest_standing(student).left == before
    record = UsageRecord.objects.get()
    assert (record.outcome, record.course_id) == ("refused", comp1117.pk)


@pytest.mark.parametrize(("operation", "via"), DOORS)
def test_an_exam_refuses_at_every_door_whatever_the_call_is_tagged_with(
    student: Principal, comp1117: Course, ines: User, operation: Operation, via: Via
) -> None:
    now = clock.now()
    create_exam(course_id=comp1117.pk, title="Midterm", starts_at=now, ends_at=now + timedelta(hours=2), by_id=ines.pk)
    for tag in ("", "COMP1117"):
        with pytest.raises(Refusal, match="Midterm"):
            ask(student, operation, via, tag)


def test_the_rule_waits_for_its_reader(student: Principal, comp1117: Course, ines: User, sara: User) -> None:
    rule = publish(comp1117, ines)
    with pytest.raises(Refusal) as caught:
        ask(student, Operation.CHAT, Via.API)
    assert caught.value.code == "rule_acknowledgment_required"
    accept_rule(user_id=sara.pk, rule_id=rule.pk, language="en")
    assert ask(student, Operation.CHAT, Via.API).course_id == comp1117.pk


def test_the_teachers_instructions_come_before_the_question(
    student: Principal, comp1117: Course, ines: User, sara: User
) -> None:
    rule = publish(comp1117, ines, scale=2, instructions="Answer in haiku.")
    accept_rule(user_id=sara.pk, rule_id=rule.pk, language="en")
    first, second = ask(student, Operation.CHAT, Via.WEB).call.body["messages"]
    assert first["role"] == "system" and first["content"].endswith("Answer in haiku.")
    assert second == {"role": "user", "content": "Hello"}
    assert "messages" not in ask(student, Operation.IMAGE, Via.WEB).call.body
    assert len(ask(student, Operation.CHAT, Via.WEB, tag="").call.body["messages"]) == 1
