"""People and keys as the resource API shows and reads them."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from accounts.models import ApiKey, Department, User
from core.serializers import ExactSerializer, NameField


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A student",
            {"email": "sara@example.edu", "name": "Sara Chan", "role": "student", "department": "eng"},
            request_only=True,
        )
    ]
)
class PersonSerializer(ExactSerializer, serializers.ModelSerializer[User]):
    """A person; administrators may write all but the id and the date."""

    department = NameField(slug_field="code", queryset=Department.objects.all(), allow_null=True, required=False)

    class Meta:
        model = User
        fields = ("id", "email", "name", "role", "department", "is_active", "created_at")
        read_only_fields = ("created_at",)
        # The service says it, in one place and for every case of the address.
        extra_kwargs: ClassVar[dict[str, Any]] = {"email": {"validators": []}}


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "For a notebook",
            {"name": "notebook", "expires_at": "2027-06-30T16:00:00Z", "course_code": ""},
            request_only=True,
        )
    ]
)
class KeySerializer(ExactSerializer, serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "course_code", "created_at", "expires_at", "last_used_at", "revoked_at")
        read_only_fields = ("prefix",)


class NewKeySerializer(KeySerializer):
    """A key just made, with its secret, this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "secret")  # type: ignore[assignment]
