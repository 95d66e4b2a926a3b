"""The catalog's shape under /api/. A credential may be written and is never read."""

from typing import Any, ClassVar

from rest_framework import serializers

from gateway.models import Model, Provider, Upstream


class ModelSerializer(serializers.ModelSerializer[Model]):
    """One model people may name."""

    class Meta:
        model = Model
        fields: ClassVar = [
            "id",
            "name",
            "label",
            "description",
            "operation",
            "upstream",
            "upstream_name",
            "prompt_weight",
            "allows_many",
            "max_output_tokens",
            "position",
            "is_enabled",
        ]


class UpstreamSerializer(serializers.ModelSerializer[Upstream]):
    """One address of a provider."""

    class Meta:
        model = Upstream
        fields: ClassVar = [
            "id",
            "name",
            "base_url",
            "api_version",
            "extra_fields",
            "is_from_environment",
            "is_enabled",
        ]
        read_only_fields: ClassVar = fields


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    """One provider and its addresses."""

    upstreams: serializers.BaseSerializer[Any] = UpstreamSerializer(many=True, read_only=True)

    class Meta:
        model = Provider
        fields: ClassVar = ["id", "slug", "name", "kind", "is_enabled", "upstreams"]
