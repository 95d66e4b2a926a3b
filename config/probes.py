"""The pages of operators: /readyz for the load balancer, /metrics for Prometheus."""

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config.health import examine_readiness, list_figures

_THIS_MACHINE = ("127.0.0.1", "::1")


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 when requests are worth sending here, else 503. What is wrong, operators alone are told."""
    findings = examine_readiness()
    is_ready = all(finding.is_well for finding in findings)
    answer: dict[str, object] = {"ready": is_ready}
    if _is_operator(request):
        answer |= {finding.name: finding.words for finding in findings}
    return JsonResponse(answer, status=200 if is_ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text form, for operators."""
    if not _is_operator(request):
        return HttpResponse("For operators: see OPERATOR_TOKEN in docs/settings.md.\n", "text/plain", status=403)
    return HttpResponse(b"".join(map(generate_latest, list_figures())), CONTENT_TYPE_LATEST)


def _is_operator(request: HttpRequest) -> bool:
    """Has the token; or, where none is set, speaks from this machine and not through a proxy on it."""
    if settings.OPERATOR_TOKEN:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), settings.OPERATOR_TOKEN.encode())
    is_direct = "x-forwarded-for" not in request.headers and "forwarded" not in request.headers
    return is_direct and request.META.get("REMOTE_ADDR") in _THIS_MACHINE
