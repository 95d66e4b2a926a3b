"""Terms, courses and enrollments as the resource API shows and reads them."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import Department, User
from core.serializers import ExactSerializer, NameField
from courses.models import Course, Enrollment, Term


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A term to come",
            {"code": "2026-2", "name": "Spring 2027", "starts_on": "2027-01-11", "ends_on": "2027-05-31"},
            request_only=True,
        )
    ]
)
class TermSerializer(ExactSerializer, serializers.ModelSerializer[Term]):
    """A term; administrators write it, all but the code of one that exists."""

    class Meta:
        model = Term
        fields = ("code", "name", "starts_on", "ends_on")

    def validate_code(self, code: str) -> str:
        """A term is named by its code, so it stays."""
        if self.instance is not None and code != self.instance.code:
            raise serializers.ValidationError(_("A term keeps its code. Make a new term instead."))
        return code


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A course of one term",
            {
                "code": "COMP1117",
                "title": "Programming",
                "term": "2026-27 Sem 1",
                "department": "eng",
                "starts_on": "2026-09-01",
                "ends_on": "2026-12-20",
            },
            request_only=True,
        )
    ]
)
class CourseSerializer(ExactSerializer, serializers.ModelSerializer[Course]):
    """A course; administrators write it, all but the code of one that exists."""

    department = NameField(slug_field="code", queryset=Department.objects.all(), allow_null=True, required=False)

    class Meta:
        model = Course
        fields = ("code", "title", "term", "department", "starts_on", "ends_on")
        # The service says it, in one place and for every case of the code.
        extra_kwargs: ClassVar[dict[str, Any]] = {"code": {"validators": []}}

    def validate_code(self, code: str) -> str:
        """Programs and keys name courses by their code, so it stays."""
        if self.instance is not None and code != self.instance.code:
            raise serializers.ValidationError(_("A course keeps its code. Make a new course instead."))
        return code


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A student joins",
            {"course": "COMP1117", "person": "sara@example.edu", "role": "student"},
            request_only=True,
        )
    ]
)
class EnrollmentSerializer(ExactSerializer, serializers.ModelSerializer[Enrollment]):
    """A person's place in a course."""

    course = NameField(slug_field="code", queryset=Course.objects.all())
    person = NameField(source="user", slug_field="email", queryset=User.objects.all())
    name = serializers.CharField(source="user.name", read_only=True)

    class Meta:
        model = Enrollment
        fields = ("id", "course", "person", "name", "role")
        # Enrolling again changes the role; it is not a second enrollment to refuse.
        validators: ClassVar[list[Any]] = []
