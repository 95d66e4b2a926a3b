"""The catalog under /api/, for administrators."""

from django.db.models import QuerySet
from rest_framework import mixins, viewsets
from rest_framework.permissions import IsAdminUser

from gateway.models import Model, Provider
from gateway.selectors import list_catalog, list_providers
from gateway.serializers import ModelSerializer, ProviderSerializer


class ModelsViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Model],
):
    """Every model of the catalog, disabled ones included. `GET /v1/models` is what people see."""

    serializer_class = ModelSerializer
    permission_classes = (IsAdminUser,)
    http_method_names = ("get", "post", "patch", "head", "options")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Model]:
        return list_catalog()


class ProvidersViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, viewsets.GenericViewSet[Provider]
):
    """Providers with their addresses. Credentials are entered on the pages and shown nowhere."""

    serializer_class = ProviderSerializer
    permission_classes = (IsAdminUser,)
    http_method_names = ("get", "patch", "head", "options")
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Provider]:
        return list_providers()
