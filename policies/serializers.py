"""Clauses as the resource API shows them."""

from datetime import datetime

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from core.serializers import ExactSerializer, WholeNumberField
from policies.models import Acknowledgment, ClauseVersion


class VersionSerializer(serializers.ModelSerializer[ClauseVersion]):
    """The wording in force of one clause; `id` is what an acknowledgment names."""

    clause: serializers.CharField = serializers.CharField(source="clause.slug", read_only=True)
    acknowledged_at = serializers.SerializerMethodField(
        help_text="When you accepted this wording; null if you did not."
    )

    class Meta:
        model = ClauseVersion
        fields = (
            "id",
            "clause",
            "number",
            "title_en",
            "title_zh_hant",
            "title_zh_hans",
            "body_en",
            "body_zh_hant",
            "body_zh_hans",
            "change_note",
            "asks_again",
            "digest",
            "published_at",
            "acknowledged_at",
        )

    def get_acknowledged_at(self, version: ClauseVersion) -> datetime | None:
        moments: dict[int, datetime] = self.context["acknowledged"]
        return moments.get(version.id)


@extend_schema_serializer(
    examples=[OpenApiExample("Read in English", {"version": 1, "language": "en"}, request_only=True)]
)
class NewAcknowledgmentSerializer(ExactSerializer):
    """Which version a person accepts, and in which language it was read."""

    version = WholeNumberField(min_value=1, max_value=2**63 - 1)
    language = serializers.ChoiceField(choices=["en", "zh-hant", "zh-hans"], required=False)


class AcknowledgmentSerializer(serializers.ModelSerializer[Acknowledgment]):
    """What was accepted and when."""

    clause = serializers.CharField(source="version.clause.slug", read_only=True)
    number = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Acknowledgment
        fields = ("id", "version", "clause", "number", "digest", "language", "at")
