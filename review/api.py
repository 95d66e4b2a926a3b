"""The audit log under /api/: to read."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Entry
from audit.selectors import list_entries
from review.forms import AuditFilterForm
from review.serializers import EntrySerializer

_FILTERS = [OpenApiParameter(name) for name in AuditFilterForm.base_fields]


class AuditViewSet(viewsets.ReadOnlyModelViewSet[Entry]):
    """What administrators and teachers did; for administrators. Filters are those of the page."""

    serializer_class = EntrySerializer
    permission_classes = (IsAdminUser,)
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Entry]:
        asked = AuditFilterForm(self.request.query_params)
        if not asked.is_valid():
            raise ValidationError(asked.errors.as_data())
        return list_entries(**asked.cleaned_data)

    @extend_schema(parameters=_FILTERS)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)
