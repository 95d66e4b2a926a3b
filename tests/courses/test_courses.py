"""Courses: making and changing them, and who sees what of them."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError

from accounts.authentication import principal_of
from accounts.models import User
from core.errors import NotFound
from courses import selectors, services
from courses.models import Course, Enrollment
from courses.types import CourseRole

START, END = date(2026, 9, 1), date(2026, 12, 20)


@pytest.fixture
def course(db: None) -> Course:
    return services.create_course(code=" comp1117", title="Programming I", starts_on=START, ends_on=END)


def test_a_course_is_named_in_upper_case_and_found_by_who_is_in_it(course: Course, sara: User, omar: User) -> None:
    services.enroll(course=course, user=sara)
    assert selectors.find_course_of(user_id=sara.id, code="COMP1117") == course
    assert selectors.find_course_of(user_id=omar.id, code="COMP1117") is None
    assert selectors.list_courses_of(sara.id) == [course]
    assert selectors.get_course("comp1117") == course


def test_only_who_teaches_a_course_reaches_its_use(course: Course, ines: User, sara: User, omar: User) -> None:
    services.enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    services.enroll(course=course, user=sara, role=CourseRole.ASSISTANT)
    assert selectors.access_taught_course(user_id=ines.id, code="COMP1117") == course
    assert selectors.list_taught_courses(sara.id) == []
    for stranger in (sara, omar):
        with pytest.raises(NotFound):
            selectors.access_taught_course(user_id=stranger.id, code="COMP1117")
    services.remove_enrollment(course_id=course.pk, user_id=ines.id)
    with pytest.raises(NotFound):
        selectors.access_taught_course(user_id=ines.id, code="COMP1117")


def test_a_student_of_the_university_cannot_teach(course: Course, sara: User) -> None:
    with pytest.raises(ValidationError, match="Only someone whose role"):
        services.enroll(course=course, user=sara, role=CourseRole.INSTRUCTOR)
    assert not Enrollment.objects.exists()


def test_enrolling_again_changes_the_role(course: Course, sara: User) -> None:
    services.enroll(course=course, user=sara)
    services.enroll(course=course, user=sara, role=CourseRole.ASSISTANT)
    assert Enrollment.objects.get().role == CourseRole.ASSISTANT


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": ""},
        {"code": "COMP 1117"},
        {"code": "../manage"},
        {"code": "COMP1117"},
        {"title": " "},
        {"ends_on": date(2026, 8, 1)},
    ],
)
def test_a_course_that_does_not_fit_is_refused(course: Course, wrong: dict[str, object]) -> None:
    fields = {"code": "HIST2021", "title": "Maps", "starts_on": START, "ends_on": END} | wrong
    with pytest.raises(ValidationError):
        services.create_course(**fields)  # type: ignore[arg-type]
    assert Course.objects.count() == 1


def test_a_change_touches_only_what_it_names(course: Course) -> None:
    services.update_course(course_id=course.pk, title="Programming  for all")
    after = Course.objects.get()
    assert (after.title, after.code, after.ends_on) == ("Programming for all", "COMP1117", END)
    with pytest.raises(NotFound):
        services.update_course(course_id=0, title="x")


def test_people_see_their_own_enrollment_teachers_their_courses_administrators_all(
    course: Course, sara: User, omar: User, ines: User, root: User
) -> None:
    other = services.create_course(code="HIST2021", title="Maps", starts_on=START, ends_on=END)
    for user, where in ((sara, course), (omar, course), (omar, other)):
        services.enroll(course=where, user=user)
    services.enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)

    def seen_by(user: User) -> int:
        return selectors.list_visible_enrollments(principal_of(user)).count()

    assert [seen_by(user) for user in (sara, omar, ines, root)] == [1, 2, 3, 4]
    assert list(selectors.list_visible_courses(principal_of(sara))) == [course]
    assert selectors.list_visible_courses(principal_of(root)).count() == 2
    assert selectors.list_courses("hist").get().people == 1  # type: ignore[attr-defined]
