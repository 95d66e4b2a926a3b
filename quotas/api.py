"""Rules, grants, requests, pools and what can be bought, under /api/."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.authentication import principal_of
from quotas import services
from quotas.models import Grant, Offer, Pool, Purchase, Quota
from quotas.models import Request as Asked
from quotas.selectors import (
    get_decidable_request,
    list_visible_grants,
    list_visible_offers,
    list_visible_pools,
    list_visible_purchases,
    list_visible_quotas,
    list_visible_requests,
)
from quotas.serializers import (
    DecisionSerializer,
    FillSerializer,
    GrantSerializer,
    NewPurchaseSerializer,
    OfferSerializer,
    PoolSerializer,
    PurchaseSerializer,
    QuotaSerializer,
    RequestSerializer,
)
from quotas.types import RequestState, Unit


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


class RequestsViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Asked]
):
    """Requests for more. Everyone sees their own and those they may decide; POST asks, DELETE takes one's own back."""

    serializer_class = RequestSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Asked]:
        return list_visible_requests(principal_of(self.request.user), state=self.request.query_params.get("state", ""))

    @extend_schema(parameters=[OpenApiParameter("state", enum=RequestState.values)])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def perform_create(self, serializer: BaseSerializer[Asked]) -> None:
        asked = dict(serializer.validated_data)
        course = asked.pop("course")
        asked["unit"] = Unit(asked["unit"])
        serializer.instance = services.ask(
            principal=principal_of(self.request.user), course_id=course and course.pk, **asked
        )

    def destroy(self, request: Request, pk: str) -> Response:
        services.withdraw_request(principal=principal_of(request.user), request_id=int(pk))
        return Response(status=204)

    @extend_schema(request=DecisionSerializer, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Grant a request, or a part of it, or refuse it with a sentence; for those who may decide it."""
        principal = principal_of(request.user)
        asked = get_decidable_request(principal, int(pk))
        said = DecisionSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        decision = dict(said.validated_data)
        if decision.pop("decision") == "refuse":
            decided = services.refuse_request(principal=principal, request_id=asked.pk, answer=decision["answer"])
        else:
            decision["amount"] = decision["amount"] or asked.amount
            decided = services.grant_request(principal=principal, request_id=asked.pk, **decision)
        return Response(RequestSerializer(decided).data)


class PoolsViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Pool]
):
    """Courses' own units, by the course's code. Administrators see and write all; instructors read their courses'.

    POST opens a course's pool or changes how it works.
    """

    serializer_class = PoolSerializer
    lookup_field = "course__code"
    lookup_url_kwarg = "code"
    lookup_value_regex = r"[A-Z0-9._-]{1,32}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Pool]:
        return list_visible_pools(principal_of(self.request.user))

    def perform_create(self, serializer: BaseSerializer[Pool]) -> None:
        wanted = serializer.pool()  # type: ignore[attr-defined]
        pool = services.set_pool(**wanted, by_id=principal_of(self.request.user).user_id)
        serializer.instance = self.get_queryset().get(pk=pool.pk)

    @extend_schema(request=FillSerializer, responses=PoolSerializer)
    @action(detail=True, methods=["post"])
    def fill(self, request: Request, code: str) -> Response:
        """Add units to a course's pool, with the reason."""
        pool = self.get_object()
        given = FillSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        by_id = principal_of(request.user).user_id
        services.fill_pool(course_id=pool.course_id, **given.validated_data, by_id=by_id)
        return Response(PoolSerializer(self.get_object()).data)


class OffersViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Offer]
):
    """What can be bought. Administrators see and write all, also what is not for sale any more."""

    serializer_class = OfferSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.action in ("list", "retrieve") else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Offer]:
        return list_visible_offers(principal_of(self.request.user))

    def perform_create(self, serializer: BaseSerializer[Offer]) -> None:
        wanted: dict[str, Any] = dict(serializer.validated_data)
        serializer.instance = services.set_offer(**wanted | {"unit": Unit(wanted["unit"])})


class PurchasesViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Purchase]):
    """What was bought, or begun to be. Administrators see all; everyone else their own. POST begins to buy."""

    serializer_class = PurchaseSerializer
    lookup_field = "reference"
    lookup_value_regex = r"[0-9a-f-]{36}"

    def get_queryset(self) -> QuerySet[Purchase]:
        return list_visible_purchases(principal_of(self.request.user))

    @extend_schema(request=NewPurchaseSerializer, responses={201: NewPurchaseSerializer})
    def create(self, request: Request) -> Response:
        """Begin to buy an offer; the answer says where a person pays."""
        wanted = NewPurchaseSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        address = services.open_purchase(principal=principal_of(request.user), offer_id=wanted.validated_data["offer"])
        return Response({"pay_at": request.build_absolute_uri(address)}, status=201)
