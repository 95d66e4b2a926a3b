"""A course's AI rule: publishing, accepting, permission, assignments, exams; and who is bound by it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from core import clock
from core.append_only import AppendOnlyError
from core.errors import InvalidRequest, NotFound
from core.types import Operation
from courses import selectors, services
from courses.errors import CourseRefused, RuleNotAccepted, RuleSuperseded
from courses.models import Course, CourseRule, RuleAcceptance
from courses.types import Tag

ALL = ["chat", "image"]
HOUR = timedelta(hours=1)


def publish(course: Course, by: User, **wording: Any) -> CourseRule:
    said: dict[str, Any] = {"approach": "free", "allowed_tools": ALL} | wording
    return services.publish_rule(course_id=course.pk, by_id=by.pk, **said)


def check(
    course: Course,
    person: User,
    *,
    operation: Operation = Operation.CHAT,
    model: str = "gpt-small",
    assignment: str = "",
) -> str:
    place = selectors.find_place(user_id=person.pk, code=course.code)
    assert place
    return services.check_rules(place=place, tag=Tag(course.code, assignment), operation=operation, model=model)


def accept(rule: CourseRule, person: User) -> RuleAcceptance:
    return services.accept_rule(user_id=person.pk, rule_id=rule.pk, language="en")


def test_without_a_rule_a_course_allows_what_the_university_allows(comp1117: Course, sara: User) -> None:
    assert check(comp1117, sara) == ""


def test_a_course_that_does_not_allow_ai_says_so_in_the_teachers_words(
    comp1117: Course, sara: User, ines: User
) -> None:
    publish(comp1117, ines, approach="prohibited", scale=1, allowed_tools=[], note="Write it yourself this term.")
    with pytest.raises(CourseRefused, match="Write it yourself this term"):
        check(comp1117, sara)


def test_the_rule_binds_students_only(comp1117: Course, ines: User) -> None:
    publish(comp1117, ines, approach="prohibited", allowed_tools=[])
    assert check(comp1117, ines) == ""


def test_a_rule_must_be_accepted_once_per_version(comp1117: Course, sara: User, ines: User) -> None:
    first = publish(comp1117, ines)
    with pytest.raises(RuleNotAccepted):
        check(comp1117, sara)
    assert accept(first, sara) == accept(first, sara)
    assert check(comp1117, sara) == ""
    publish(comp1117, ines, note="A comma is moved.", asks_again=False)
    assert check(comp1117, sara) == ""
    publish(comp1117, ines, approach="acknowledgment", declaration="Name the model and the date.")
    with pytest.raises(RuleNotAccepted, match="version 3"):
        check(comp1117, sara)
    with pytest.raises(RuleSuperseded):
        accept(first, sara)


def test_letting_teachers_read_always_asks_again(comp1117: Course, sara: User, ines: User) -> None:
    accept(publish(comp1117, ines), sara)
    publish(comp1117, ines, readers="instructors", asks_again=False)
    with pytest.raises(RuleNotAccepted):
        check(comp1117, sara)


def test_tools_and_models_that_are_not_named_are_refused(comp1117: Course, sara: User, ines: User) -> None:
    accept(publish(comp1117, ines, allowed_tools=["chat"], allowed_models=["gpt-small"]), sara)
    assert check(comp1117, sara) == ""
    with pytest.raises(CourseRefused, match="tool"):
        check(comp1117, sara, operation=Operation.IMAGE)
    with pytest.raises(CourseRefused, match="gpt-small"):
        check(comp1117, sara, model="gpt-large")


def test_permission_is_asked_given_and_taken_back(comp1117: Course, sara: User, ines: User, omar: User) -> None:
    rule = publish(comp1117, ines, approach="permission")
    accept(rule, sara)
    with pytest.raises(CourseRefused, match="permission"):
        check(comp1117, sara)
    with pytest.raises(NotFound):
        services.ask_permission(user_id=omar.pk, code="COMP1117", reason="I am not in it")
    with pytest.raises(InvalidRequest):
        services.ask_permission(user_id=sara.pk, code="COMP1117", reason="  ")
    asked = services.ask_permission(user_id=sara.pk, code="COMP1117", reason="My tool reads code to me")
    assert services.ask_permission(user_id=sara.pk, code="COMP1117", reason="It reads code aloud") == asked
    with pytest.raises(CourseRefused):
        check(comp1117, sara)
    given = {"course_id": comp1117.pk, "permission_id": asked.pk, "by_id": ines.pk}
    services.decide_permission(**given, is_given=True, answer="Of course.")
    assert check(comp1117, sara) == ""
    with pytest.raises(NotFound):
        services.decide_permission(**given, is_given=False, answer="Changed my mind")
    services.withdraw_permission(**given, answer="The term is over.")
    with pytest.raises(CourseRefused):
        check(comp1117, sara)


def test_declining_needs_a_sentence(comp1117: Course, sara: User, ines: User) -> None:
    publish(comp1117, ines, approach="permission")
    asked = services.ask_permission(user_id=sara.pk, code="COMP1117", reason="Please")
    with pytest.raises(InvalidRequest):
        services.decide_permission(
            course_id=comp1117.pk, permission_id=asked.pk, is_given=False, answer=" ", by_id=ines.pk
        )


def test_the_scale_and_the_teacher_instruct_the_model(comp1117: Course, sara: User, ines: User) -> None:
    accept(publish(comp1117, ines, scale=2, instructions="Answer in haiku."), sara)
    told = check(comp1117, sara)
    assert "level 2" in told and "planning only" in told
    assert told.endswith("Answer in haiku.")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"approach": "sometimes"}, "approach"),
        ({"scale": 1}, "scale"),
        ({"approach": "prohibited", "scale": 3}, "scale"),
        ({"scale": 6}, "scale"),
        ({"approach": "acknowledgment"}, "declaration"),
        ({"allowed_tools": []}, "allowed_tools"),
        ({"allowed_tools": ["telepathy"]}, "allowed_tools"),
        ({"note": "x" * 4001}, "note"),
    ],
)
def test_a_rule_that_contradicts_itself_is_not_published(
    comp1117: Course, ines: User, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        publish(comp1117, ines, **wrong)
    assert field in caught.value.message_dict
    assert not CourseRule.objects.exists()


def test_a_published_rule_never_changes(comp1117: Course, ines: User) -> None:
    rule = publish(comp1117, ines)
    rule.note = "Something else"
    with pytest.raises(AppendOnlyError):
        rule.save()


def test_an_assignment_tightens_the_rule_while_it_runs(comp1117: Course, sara: User, ines: User) -> None:
    now = clock.now()
    accept(publish(comp1117, ines), sara)
    essay = services.create_assignment(
        course_id=comp1117.pk, code="A2", title="Essay", opens_at=now - HOUR, due_at=now + HOUR
    )
    assert check(comp1117, sara, assignment="A2") == ""
    own = publish(comp1117, ines, assignment_id=essay.pk, allowed_tools=["chat"], instructions="Ideas only.")
    with pytest.raises(RuleNotAccepted, match="COMP1117/A2"):
        check(comp1117, sara, assignment="A2")
    accept(own, sara)
    assert check(comp1117, sara, assignment="A2") == "Ideas only."
    assert check(comp1117, sara, operation=Operation.IMAGE) == ""
    with pytest.raises(CourseRefused, match="tool"):
        check(comp1117, sara, assignment="A2", operation=Operation.IMAGE)
    with pytest.raises(CourseRefused, match="no assignment"):
        check(comp1117, sara, assignment="A9")
    with clock.telling(now + 2 * HOUR), pytest.raises(CourseRefused, match="runs from"):
        check(comp1117, sara, assignment="A2")


def test_an_exam_silences_the_gateway_for_the_students_of_the_course(
    comp1117: Course, sara: User, ines: User, omar: User
) -> None:
    now = clock.now()
    exam = services.create_exam(
        course_id=comp1117.pk, title="Midterm", starts_at=now + HOUR, ends_at=now + 3 * HOUR, by_id=ines.pk
    )
    services.check_exams(user_id=sara.pk)
    with clock.telling(now + HOUR):
        with pytest.raises(CourseRefused, match="Midterm"):
            services.check_exams(user_id=sara.pk)
        services.check_exams(user_id=ines.pk)
        services.check_exams(user_id=omar.pk)
        excepted = services.except_from_exam(
            course_id=comp1117.pk, exam_id=exam.pk, email="Sara@example.edu ", reason="Reads by ear", by_id=ines.pk
        )
        services.check_exams(user_id=sara.pk)
        services.withdraw_exception(course_id=comp1117.pk, exception_id=excepted.pk)
        with pytest.raises(CourseRefused):
            services.check_exams(user_id=sara.pk)
    with clock.telling(now + 3 * HOUR):
        services.check_exams(user_id=sara.pk)


def test_an_exam_of_one_section_leaves_the_others_alone(comp1117: Course, sara: User, omar: User, ines: User) -> None:
    services.import_roster(
        course=comp1117, text=["email,role,section\n", "sara@example.edu,student,L1\n", "omar@example.edu,student,L2\n"]
    )
    now = clock.now()
    services.create_exam(
        course_id=comp1117.pk, title="Quiz", starts_at=now, ends_at=now + HOUR, by_id=ines.pk, section="L1"
    )
    with pytest.raises(CourseRefused):
        services.check_exams(user_id=sara.pk)
    services.check_exams(user_id=omar.pk)


@pytest.mark.parametrize(
    ("start", "end"),
    [(HOUR, -HOUR), (-3 * HOUR, -HOUR), (HOUR, timedelta(days=9))],
)
def test_an_exam_that_cannot_be_is_refused(comp1117: Course, ines: User, start: timedelta, end: timedelta) -> None:
    now = clock.now()
    with pytest.raises(ValidationError):
        services.create_exam(
            course_id=comp1117.pk, title="Midterm", starts_at=now + start, ends_at=now + end, by_id=ines.pk
        )


def test_an_exam_can_be_called_off_and_a_running_one_ended(comp1117: Course, sara: User, ines: User) -> None:
    now = clock.now()
    exam = services.create_exam(
        course_id=comp1117.pk, title="Midterm", starts_at=now + HOUR, ends_at=now + 3 * HOUR, by_id=ines.pk
    )
    with clock.telling(now + 2 * HOUR):
        services.end_exam(course_id=comp1117.pk, exam_id=exam.pk)
        services.check_exams(user_id=sara.pk)
        with pytest.raises(NotFound):
            services.end_exam(course_id=comp1117.pk, exam_id=exam.pk)
