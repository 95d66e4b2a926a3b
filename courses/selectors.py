"""Reading courses and who is in them."""

from courses.models import Course


def find_course_of(*, user_id: int, code: str) -> Course | None:
    """The course of that code, if the person is enrolled in it in any role."""
    return Course.objects.filter(code=code, enrollments__user_id=user_id).first()


def list_courses_of(user_id: int) -> list[Course]:
    """The courses the person is enrolled in, in any role, by code."""
    return list(Course.objects.filter(enrollments__user_id=user_id).order_by("code"))
