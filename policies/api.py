"""Clauses under /api/, and the acceptance of one."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import principal_of
from core.errors import Refusal
from policies import services
from policies.models import Acknowledgment, ClauseVersion
from policies.selectors import list_acknowledgments, list_current
from policies.serializers import AcknowledgmentSerializer, NewAcknowledgmentSerializer, VersionSerializer


class ClausesViewSet(viewsets.ReadOnlyModelViewSet[ClauseVersion]):
    """The clauses in force, by name, and whether you accepted them."""

    serializer_class = VersionSerializer
    lookup_field = "clause__slug"
    lookup_url_kwarg = "clause"

    def get_queryset(self) -> QuerySet[ClauseVersion]:
        return list_current()

    def get_serializer_context(self) -> dict[str, Any]:
        given = list_acknowledgments(principal_of(self.request.user).user_id)
        return {**super().get_serializer_context(), "acknowledged": dict(given.values_list("version_id", "at"))}


class MyAcknowledgments(generics.ListAPIView[Acknowledgment]):
    """What you accepted."""

    serializer_class = AcknowledgmentSerializer

    def get_queryset(self) -> QuerySet[Acknowledgment]:
        return list_acknowledgments(principal_of(self.request.user).user_id)

    @extend_schema(request=NewAcknowledgmentSerializer, responses={201: AcknowledgmentSerializer})
    def post(self, request: Request) -> Response:
        """Accept a clause. Only a person accepts, not a program: a key is refused."""
        if request.auth is not None:
            raise Refusal(_("A program cannot accept a clause. Sign in and accept it on the page Clauses."))
        asked = NewAcknowledgmentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = services.acknowledge(
            user_id=principal_of(request.user).user_id,
            version_id=asked.validated_data["version"],
            language=asked.validated_data.get("language") or get_language() or "en",
            session_key=request.session.session_key or "",
            address=get_adapter().get_client_ip(request),
        )
        return Response(AcknowledgmentSerializer(given).data, status=201)
