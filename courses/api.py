"""Terms, courses and enrollments under /api/."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.authentication import principal_of
from accounts.types import columns_of
from courses import services
from courses.models import Course, Enrollment, Term
from courses.selectors import find_terms, list_visible_courses, list_visible_enrollments
from courses.serializers import CourseSerializer, EnrollmentSerializer, TermSerializer
from courses.types import CourseRole


class TermsViewSet(viewsets.ModelViewSet[Term]):
    """The university's terms, the last written first. Everyone reads them; administrators write them.

    A term that has begun keeps its first day and cannot be deleted: quotas are counted from it.
    """

    queryset = find_terms()
    serializer_class = TermSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")
    lookup_field = "code"
    lookup_value_regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def perform_create(self, serializer: BaseSerializer[Term]) -> None:
        serializer.instance = services.save_term(**serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Term]) -> None:
        term = self.get_object()
        kept = {"code": term.code, "name": term.name, "starts_on": term.starts_on, "ends_on": term.ends_on}
        serializer.instance = services.save_term(**kept | serializer.validated_data)

    def perform_destroy(self, instance: Term) -> None:
        services.remove_term(code=instance.code)


class CoursesViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Course],
):
    """Courses, by code. Administrators see and write all; everyone else reads those they are in."""

    serializer_class = CourseSerializer
    http_method_names = ("get", "post", "patch", "head", "options")
    lookup_field = "code"
    lookup_value_regex = r"[A-Z0-9._-]{1,32}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Course]:
        return list_visible_courses(principal_of(self.request.user))

    def perform_create(self, serializer: BaseSerializer[Course]) -> None:
        serializer.instance = services.create_course(**columns_of(serializer.validated_data))

    def perform_update(self, serializer: BaseSerializer[Course]) -> None:
        changes = columns_of(serializer.validated_data)
        changes.pop("code", None)  # the same, or the serializer would have said no
        serializer.instance = services.update_course(course_id=self.get_object().pk, **changes)


class EnrollmentsViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Enrollment],
):
    """Who is in which course. Administrators see and write all, teachers read their courses', everyone their own.

    POST again with another role changes it.
    """

    serializer_class = EnrollmentSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Enrollment]:
        course = self.request.query_params.get("course", "")
        return list_visible_enrollments(principal_of(self.request.user), course=course)

    @extend_schema(parameters=[OpenApiParameter("course", description="A course's code.")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Enrollment]) -> None:
        asked = serializer.validated_data
        role = CourseRole(asked.get("role", CourseRole.STUDENT))
        serializer.instance = services.enroll(course=asked["course"], user=asked["user"], role=role)

    def perform_destroy(self, instance: Enrollment) -> None:
        services.remove_enrollment(course_id=instance.course_id, user_id=instance.user_id)
