"""Usage records as the resource API reads them."""

from rest_framework import serializers

from accounts.models import Department, User
from courses.models import Course
from usage.models import UsageRecord


class UsageSerializer(serializers.ModelSerializer[UsageRecord]):
    """One call. No prompt and no answer: those belong to conversations."""

    person: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        source="user", slug_field="email", read_only=True
    )
    department: serializers.SlugRelatedField[Department] = serializers.SlugRelatedField(
        slug_field="code", read_only=True
    )
    course: serializers.SlugRelatedField[Course] = serializers.SlugRelatedField(slug_field="code", read_only=True)

    class Meta:
        model = UsageRecord
        fields = (
            "id",
            "call_id",
            "person",
            "role",
            "department",
            "course",
            "via",
            "operation",
            "model",
            "provider",
            "outcome",
            "code",
            "prompts",
            "input_tokens",
            "output_tokens",
            "images",
            "usage_source",
            "cost_micro",
            "started_at",
            "first_content_at",
            "ended_at",
        )
