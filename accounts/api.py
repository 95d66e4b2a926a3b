"""People and keys under /api/."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts import services
from accounts.authentication import principal_of
from accounts.models import ApiKey, User
from accounts.selectors import list_api_keys, list_visible_people
from accounts.serializers import KeySerializer, NewKeySerializer, PersonSerializer
from accounts.types import columns_of
from core.errors import Refusal


class PeopleViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[User],
):
    """People. Administrators see and write all; everyone else sees only themselves."""

    serializer_class = PersonSerializer
    http_method_names = ("get", "post", "patch", "head", "options")
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[User]:
        asked = self.request.query_params
        return list_visible_people(
            principal_of(self.request.user),
            search=asked.get("search", ""),
            role=asked.get("role", ""),
            department=asked.get("department", ""),
        )

    @extend_schema(parameters=[OpenApiParameter(name) for name in ("search", "role", "department")])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[User]) -> None:
        fields = columns_of(serializer.validated_data)
        fields.pop("is_active", None)  # people begin active
        serializer.instance = services.create_person(**fields)

    def perform_update(self, serializer: BaseSerializer[User]) -> None:
        changes = columns_of(serializer.validated_data)
        serializer.instance = services.update_person(user_id=int(self.kwargs["pk"]), **changes)


class KeysViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[ApiKey]
):
    """One's own API keys. DELETE revokes; a key is never forgotten."""

    serializer_class = KeySerializer
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[ApiKey]:
        return list_api_keys(principal_of(self.request.user).user_id)

    @extend_schema(request=KeySerializer, responses={201: NewKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key; the answer shows its secret, this once. Only a person makes keys, not a program."""
        if request.auth is not None:
            raise Refusal("A key cannot make keys. Sign in and make it on the page My keys.")
        asked = KeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        key, secret = services.create_api_key(user_id=principal_of(request.user).user_id, **asked.validated_data)
        return Response({**KeySerializer(key).data, "secret": secret}, status=201)

    def perform_destroy(self, instance: ApiKey) -> None:
        services.revoke_api_key(user_id=instance.user_id, key_id=instance.pk)
