"""A course of this term with Sara as its student, Ines as its instructor; Omar is not in it."""

from datetime import date

import pytest

from accounts.models import User
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole


@pytest.fixture
def comp1117(sara: User, ines: User) -> Course:
    course = create_course(
        code="COMP1117", title="Programming I", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20)
    )
    enroll(course=course, user=sara)
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    return course
