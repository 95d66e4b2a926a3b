"""Reading courses and who is in them."""

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.types import Principal, Role
from core.errors import NotFound
from core.text import one_line
from courses.models import Course, Enrollment
from courses.types import CourseRole


def find_course_of(*, user_id: int, code: str) -> Course | None:
    """The course of that code, if the person is enrolled in it in any role."""
    return Course.objects.filter(code=code, enrollments__user_id=user_id).first()


def list_courses_of(user_id: int) -> list[Course]:
    """The courses the person is enrolled in, in any role, by code."""
    return list(Course.objects.filter(enrollments__user_id=user_id).order_by("code"))


def list_taught_courses(user_id: int) -> list[Course]:
    """The courses the person teaches now, by code; assisting is not teaching."""
    return list(_taught_by(user_id).order_by("code"))


def access_taught_course(*, user_id: int, code: str) -> Course:
    """The course of that code, if the person teaches it at this moment.

    Raises:
        NotFound: there is none, or the person does not teach it: the two look the same.
    """
    course = _taught_by(user_id).filter(code=code).first()
    if course is None:
        raise NotFound(_("There is no course %(code)s among those you teach.") % {"code": code})
    return course


def get_course(code: str) -> Course:
    """The course of that code, in any case.

    Raises:
        NotFound: there is none.
    """
    course = Course.objects.select_related("department").filter(code=code.strip().upper()).first()
    if course is None:
        raise NotFound(_("There is no course %(code)s.") % {"code": code.strip()})
    return course


def list_courses(search: str = "") -> QuerySet[Course]:
    """Courses whose code, title or term contains `search`, each with `people`, the number of its enrollments."""
    courses = Course.objects.select_related("department").annotate(people=Count("enrollments")).order_by("code")
    if wanted := one_line(search):
        courses = courses.filter(Q(code__icontains=wanted) | Q(title__icontains=wanted) | Q(term__icontains=wanted))
    return courses


def list_enrollments(course_id: int) -> QuerySet[Enrollment]:
    """Who is in the course, by name; with the person and the department."""
    return (
        Enrollment.objects.filter(course=course_id)
        .select_related("user__department")
        .order_by("user__name", "user__email")
    )


def list_visible_courses(principal: Principal) -> QuerySet[Course]:
    """The courses this person may see: administrators all, anybody else those they are in."""
    courses = Course.objects.select_related("department")
    return courses if principal.role == Role.ADMIN else courses.filter(enrollments__user_id=principal.user_id)


def list_visible_enrollments(principal: Principal, *, course: str = "") -> QuerySet[Enrollment]:
    """The enrollments this person may see: administrators all, teachers their courses', anybody their own.

    Args:
        course: a course's code, to narrow.
    """
    enrollments = Enrollment.objects.select_related("course", "user")
    if principal.role != Role.ADMIN:
        taught = Q(course__in=_taught_by(principal.user_id))
        enrollments = enrollments.filter(taught | Q(user_id=principal.user_id))
    return enrollments.filter(course__code=course) if course else enrollments


def _taught_by(user_id: int) -> QuerySet[Course]:
    return Course.objects.filter(enrollments__user_id=user_id, enrollments__role=CourseRole.INSTRUCTOR)
