"""Usage records and their sums under /api/: to read."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import principal_of
from accounts.types import Role
from usage.forms import MyUsageForm, UsageFilterForm
from usage.models import UsageRecord
from usage.reports import make_report
from usage.selectors import list_visible_records
from usage.serializers import ReportSerializer, UsageSerializer

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


class ReportPages(PageNumberPagination):
    """Rows come a year of days at a time: of 50,000 people nobody wants all at once."""

    page_size = max_page_size = 400
    page_size_query_param = "limit"


class ReportsViewSet(viewsets.ViewSet):
    """Sums of usage, grouped: the table of the usage page. Administrators read everyone's; everyone else their own."""

    @extend_schema(
        parameters=[
            *(OpenApiParameter(name) for name in UsageFilterForm.base_fields if name not in ("split", "measure")),
            OpenApiParameter("page", int),
            OpenApiParameter("limit", int),
        ],
        responses=forced_singular_serializer(ReportSerializer),  # type: ignore[no-untyped-call]
    )
    def list(self, request: Request) -> Response:
        """One report, grouped `by` day (the usual), week, month, model, course and so on."""
        principal = principal_of(request.user)
        everyone = principal.role == Role.ADMIN
        asked = request.query_params
        form = UsageFilterForm(asked) if everyone else MyUsageForm(principal.user_id, asked)
        if not form.is_valid():
            raise ValidationError(form.errors.as_data())
        report = make_report(
            form.filters(),
            group=form.group,
            measure=form.measured,
            order=form.cleaned_data["sort"],
            least=settings.SMALLEST_GROUP if everyone else 0,
        )
        pages = ReportPages()
        rows = pages.paginate_queryset(report.rows, request, view=self) or []
        context = {"by": form.group, "pages": pages}
        return Response(ReportSerializer(replace(report, rows=rows), context=context).data)
