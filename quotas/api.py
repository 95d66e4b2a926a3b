"""Rules and grants under /api/."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.authentication import principal_of
from quotas import services
from quotas.models import Grant, Quota
from quotas.selectors import list_visible_grants, list_visible_quotas
from quotas.serializers import GrantSerializer, QuotaSerializer


class QuotasViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Quota]
):
    """Rules in force. Administrators see and write all; everyone else reads those that speak of them.

    POST replaces the rule of the same kind for the same people; DELETE withdraws one, with its `reason`.
    """

    serializer_class = QuotaSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Quota]:
        asked = self.request.query_params
        narrowed = {name: asked[name] for name in ("unit", "period", "role") if name in asked}
        return list_visible_quotas(principal_of(self.request.user), history="history" in asked).filter(**narrowed)

    @extend_schema(parameters=[OpenApiParameter(name) for name in ("unit", "period", "role", "history")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Quota]) -> None:
        rule = serializer.rule()  # type: ignore[attr-defined]
        serializer.instance = services.set_quota(**rule, by_id=principal_of(self.request.user).user_id)

    @extend_schema(parameters=[OpenApiParameter("reason", required=True)])
    def destroy(self, request: Request, pk: str) -> Response:
        reason = request.query_params.get("reason", "")
        services.withdraw_quota(quota_id=int(pk), by_id=principal_of(request.user).user_id, reason=reason)
        return Response(status=204)


class GrantsViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Grant]
):
    """Grants. Administrators see and give all; everyone else reads their own."""

    serializer_class = GrantSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Grant]:
        person = self.request.query_params.get("person", "")
        return list_visible_grants(principal_of(self.request.user), person=person)

    @extend_schema(parameters=[OpenApiParameter("person", description="E-mail address.")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Grant]) -> None:
        given = serializer.given()  # type: ignore[attr-defined]
        serializer.instance = services.grant(**given, by_id=principal_of(self.request.user).user_id)
