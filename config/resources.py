"""What stands under /api/: the resources of every room, who am I, and the description of it all."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import include, path, re_path
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView

from accounts.api import KeysViewSet, PeopleViewSet
from accounts.authentication import principal_of, role_required
from accounts.selectors import get_person_by_id
from accounts.types import Role
from config.api import nothing_here
from courses.api import CoursesViewSet, EnrollmentsViewSet, TermsViewSet
from courses.selectors import list_courses_of
from gateway.api import ModelsViewSet, ProvidersViewSet
from policies.api import ClausesViewSet, MyAcknowledgments
from policies.selectors import list_outstanding
from quotas.api import (
    GrantsViewSet,
    OffersViewSet,
    PoolsViewSet,
    PurchasesViewSet,
    QuotasViewSet,
    RequestsViewSet,
)
from quotas.selectors import list_standings
from quotas.types import Standing, Unit
from review.api import AuditViewSet
from usage.api import ReportsViewSet, UsageViewSet


class _CourseSerializer(serializers.Serializer[Any]):
    """A course I am in."""

    code = serializers.CharField()
    title = serializers.CharField()
    term = serializers.CharField(allow_blank=True, allow_null=True)


class _OutstandingSerializer(serializers.Serializer[Any]):
    """A wording I must still accept."""

    version = serializers.IntegerField(help_text="What an acknowledgment names.")
    clause = serializers.CharField()
    number = serializers.IntegerField()
    title = serializers.CharField()


class _StandingSerializer(serializers.Serializer[Any]):
    """One quota of mine; `limit` and `left` are null when it is unmetered."""

    name = serializers.CharField()
    unit = serializers.CharField()
    period = serializers.CharField()
    limit = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField()
    held = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)


class MeSerializer(serializers.Serializer[Any]):
    """Who I am."""

    email = serializers.EmailField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    department = serializers.CharField(allow_null=True)
    courses = _CourseSerializer(many=True)
    clauses_outstanding = _OutstandingSerializer(many=True)
    quotas = _StandingSerializer(many=True)


class Me(APIView):
    """Who I am, what I must still accept, and what I have left."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        principal = principal_of(request.user)
        person = get_person_by_id(principal.user_id)
        language = get_language() or "en"
        return Response(
            {
                "email": person.email,
                "name": person.name,
                "role": person.role,
                "department": person.department.code if person.department else None,
                "courses": [
                    {"code": course.code, "title": course.title, "term": course.term}
                    for course in list_courses_of(person.id)
                ],
                "clauses_outstanding": [
                    {
                        "version": version.id,
                        "clause": version.clause.slug,
                        "number": version.number,
                        "title": version.title_in(language),
                    }
                    for version in list_outstanding(person.id)
                ],
                "quotas": [_quota(standing) for standing in list_standings(principal)],
            }
        )


def _quota(standing: Standing) -> dict[str, Any]:
    return {
        "name": str(standing.name),
        "unit": standing.unit,
        "currency": settings.CURRENCY if standing.unit == Unit.MONEY else None,
        "period": standing.period,
        "scope": standing.scope,
        "limit": standing.limit,
        "used": standing.used,
        "held": standing.held,
        "granted": standing.granted,
        "extra": standing.extra,
        "left": standing.left,
        "resets_at": standing.window.ends_at,
    }


# It has no answer to OPTIONS: it would render a page without a template.
_docs = SpectacularSwaggerSplitView.as_view(url_name="api_schema", http_method_names=["get", "head"])


@csrf_exempt  # it changes nothing, and says so in the envelope
def docs(request: HttpRequest) -> HttpResponseBase:
    """The description as a page. Whoever is not signed in is sent to sign in."""
    page = role_required()(_docs) if request.method in ("GET", "HEAD") else _docs
    return page(request)


router = DefaultRouter()
router.include_format_suffixes = False
router.register("people", PeopleViewSet, basename="people")
router.register("keys", KeysViewSet, basename="keys")
router.register("terms", TermsViewSet, basename="terms")
router.register("courses", CoursesViewSet, basename="courses")
router.register("enrollments", EnrollmentsViewSet, basename="enrollments")
router.register("clauses", ClausesViewSet, basename="clauses")
router.register("quotas", QuotasViewSet, basename="quotas")
router.register("grants", GrantsViewSet, basename="grants")
router.register("requests", RequestsViewSet, basename="requests")
router.register("pools", PoolsViewSet, basename="pools")
router.register("offers", OffersViewSet, basename="offers")
router.register("purchases", PurchasesViewSet, basename="purchases")
router.register("models", ModelsViewSet, basename="models")
router.register("providers", ProvidersViewSet, basename="providers")
router.register("usage", UsageViewSet, basename="usage")
router.register("reports", ReportsViewSet, basename="reports")
router.register("audit", AuditViewSet, basename="audit")

urlpatterns = [
    path("me/", Me.as_view(), name="api_me"),
    path("me/acknowledgments/", MyAcknowledgments.as_view(), name="api_my_acknowledgments"),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", docs, name="api_docs"),
    path("", include(router.urls)),
    re_path(r"^(?P<rest>[\s\S]*)\Z", nothing_here),  # line ends too
]
