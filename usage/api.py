"""Usage records under /api/: to read."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import principal_of
from usage.forms import UsageFilterForm
from usage.models import UsageRecord
from usage.selectors import list_visible_records
from usage.serializers import UsageSerializer

_FILTERS = [name for name in UsageFilterForm.base_fields if name not in ("by", "sort")]


class UsageViewSet(viewsets.ReadOnlyModelViewSet[UsageRecord]):
    """Single calls. Administrators read all; everyone else their own. Filters are those of the usage page."""

    serializer_class = UsageSerializer
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[UsageRecord]:
        asked = UsageFilterForm(self.request.query_params)
        if not asked.is_valid():
            raise ValidationError(asked.errors.as_data())
        return list_visible_records(principal_of(self.request.user), asked.filters())

    @extend_schema(parameters=[OpenApiParameter(name) for name in _FILTERS])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)
