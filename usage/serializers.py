"""Usage records as the resource API reads them."""

from typing import Any

from rest_framework import serializers

from accounts.models import Department, User
from courses.models import Course
from usage.models import UsageRecord
from usage.reports import Report, Row
from usage.types import Summary


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


class TotalsSerializer(serializers.Serializer[Summary]):
    """What was used."""

    calls = serializers.IntegerField()
    prompts = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    images = serializers.IntegerField()
    cost_micro = serializers.IntegerField(help_text="Micro-units of the currency.")


class RowSerializer(serializers.Serializer[Row]):
    """One group; `totals` is null where the group is so small that it would show single people."""

    key = serializers.CharField(allow_null=True)
    label: serializers.Field[Any, Any, Any, Any] = serializers.CharField()  # type: ignore[assignment]
    totals = serializers.SerializerMethodField()

    def get_totals(self, row: Row) -> dict[str, int] | None:
        return None if row.is_hidden else TotalsSerializer(row.total).data


class ReportSerializer(serializers.Serializer[Report]):
    """A table of groups, a page of it; `total` is that of all pages. Withheld where it is about too few people."""

    by = serializers.SerializerMethodField()
    is_withheld = serializers.BooleanField()
    count = serializers.SerializerMethodField(help_text="Rows on all pages.")
    next = serializers.SerializerMethodField()
    previous = serializers.SerializerMethodField()
    rows = RowSerializer(many=True)
    total = TotalsSerializer()

    def get_by(self, report: Report) -> str:
        by: str = self.context["by"]
        return by

    def get_count(self, _report: Report) -> int:
        count: int = self.context["pages"].page.paginator.count
        return count

    def get_next(self, _report: Report) -> str | None:
        link: str | None = self.context["pages"].get_next_link()
        return link

    def get_previous(self, _report: Report) -> str | None:
        link: str | None = self.context["pages"].get_previous_link()
        return link
