"""The catalog's shape under /api/. A credential may be written and is never read."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from core.serializers import ExactSerializer
from gateway import services
from gateway.models import Model, Provider, Route, Upstream


class RouteSerializer(ExactSerializer, serializers.ModelSerializer[Route]):
    """One upstream that answers for a model."""

    class Meta:
        model = Route
        fields: ClassVar = ["upstream", "upstream_name", "position", "weight", "is_enabled"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A chat model",
            {"name": "gpt-4o-mini", "operation": "chat", "routes": [{"upstream": 1, "upstream_name": "gpt-4o-mini"}]},
            request_only=True,
        )
    ]
)
class ModelSerializer(ExactSerializer, serializers.ModelSerializer[Model]):
    """One model people may name, with all its routes: a list that is sent replaces the one there is."""

    routes = RouteSerializer(many=True)

    def create(self, validated_data: dict[str, Any]) -> Model:
        routes = validated_data.pop("routes")
        return services.create_model(columns=validated_data, routes=routes)

    def update(self, instance: Model, validated_data: dict[str, Any]) -> Model:
        routes = validated_data.pop("routes", None)
        return services.update_model(model_id=instance.pk, columns=validated_data, routes=routes)

    class Meta:
        model = Model
        fields: ClassVar = [
            "id",
            "name",
            "label",
            "description",
            "operation",
            "audience",
            "capabilities",
            "data_class",
            "context_tokens",
            "max_output_tokens",
            "prompt_weight",
            "image_weights",
            "allows_many",
            "input_price",
            "cached_input_price",
            "output_price",
            "image_price",
            "fallback",
            "retires_on",
            "routes",
            "position",
            "is_enabled",
        ]


class UpstreamSerializer(serializers.ModelSerializer[Upstream]):
    """One address of a provider; empty where it is the kind's own."""

    base_url = serializers.CharField(read_only=True)

    class Meta:
        model = Upstream
        fields: ClassVar = [
            "id",
            "name",
            "base_url",
            "api_version",
            "extra_fields",
            "most_parallel",
            "speaks_responses",
            "is_from_environment",
            "is_enabled",
        ]
        read_only_fields: ClassVar = fields


@extend_schema_serializer(examples=[OpenApiExample("Switch one off", {"is_enabled": False}, request_only=True)])
class ProviderSerializer(ExactSerializer, serializers.ModelSerializer[Provider]):
    """One provider and its addresses."""

    upstreams: serializers.BaseSerializer[Any] = UpstreamSerializer(many=True, read_only=True)

    def update(self, instance: Provider, validated_data: dict[str, Any]) -> Provider:
        return services.update_provider(provider_id=instance.pk, columns=validated_data)

    class Meta:
        model = Provider
        fields: ClassVar = ["id", "slug", "name", "kind", "is_enabled", "upstreams"]
