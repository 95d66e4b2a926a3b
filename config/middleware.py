"""What stands around every page: the person's own language, who acts, and domain errors turned into answers."""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from audit.services import acting
from audit.types import Actor, Through
from core import clock
from core.errors import DomainError, InvalidRequest, RequestTooSlow, Unavailable
from policies.errors import Closed
from policies.selectors import list_running_notices
from policies.services import check_open

LATE = "gateway.late"  # in the scope of a request whose body was not whole in time (config.asgi)


class LanguageMiddleware(LocaleMiddleware):
    """The language kept in the account; else the cookie's, else the browser's. Stands after authentication."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        own = getattr(request.user, "language", "")
        if own in dict(settings.LANGUAGES):
            translation.activate(own)
            request.LANGUAGE_CODE = own


@sync_and_async_middleware
def acting_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """What is recorded during a request is done by its person, who is asked for only when something is recorded."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            with acting(partial(_actor_of, request)):
                answer: Awaitable[HttpResponse] = get_response(request)
                return await answer

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        with acting(partial(_actor_of, request)):
            response: HttpResponse = get_response(request)
            return response

    return answer


def _actor_of(request: HttpRequest) -> Actor:
    # REST framework puts the person of a key here too.
    return Actor(
        user_id=request.user.pk,
        name=getattr(request.user, "email", ""),
        through=Through.API if request.path.startswith("/api/") else Through.PAGE,
        address=get_adapter().get_client_ip(request),
    )


class LateMiddleware(MiddlewareMixin):
    """Nobody reads half a body. Stands before whoever would look for a token in it."""

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        return _answer(request, RequestTooSlow()) if LATE in getattr(request, "scope", {}) else None


class DomainErrorMiddleware(MiddlewareMixin):
    """Renders a DomainError that a view let through; everything else is Django's to report."""

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        # Forms refuse NUL; in an address it would reach PostgreSQL, whose texts cannot hold it.
        if "\0" in request.path or "%00" in request.META["QUERY_STRING"]:
            unreadable = InvalidRequest(_("The address is not complete. Go back and follow the link again."))
            return self.process_exception(request, unreadable)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _answer(request, exception) if isinstance(exception, DomainError) else None


# Signing in, what every page is made of, and what operators ask.
_ALWAYS_OPEN = (
    "/accounts/",
    "/language/",
    "/appearance/",
    "/notices/",
    "/brand.css",
    "/logo",
    "/icon-",
    "/manifest.webmanifest",
    "/worker.js",
    "/offline/",
    "/readyz",
    "/metrics",
)


class MaintenanceMiddleware(MiddlewareMixin):
    """While a notice closes the doors only administrators come in. Keys are judged where they are read: config.api."""

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        is_key = request.path.startswith("/api/") and "Authorization" in request.headers
        if is_key or request.path.startswith(_ALWAYS_OPEN):
            return None
        notices = list_running_notices()
        role = getattr(request.user, "role", None) if notices else None
        try:
            check_open(notices, role=role, at=clock.now())
        except Closed as closed:
            return _answer(request, closed)
        return None


def answer_fault(request: HttpRequest) -> HttpResponse:
    """Django's handler500: an error nobody expected. A database that is away is none of ours, and passes (C14)."""
    # Away, out of connections, or read-only; what a query of ours does wrong has other names.
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError | InternalError):
        return HttpResponseServerError(render_to_string("500.html"))
    error = Unavailable()
    page = _envelope(error) if _wants_json(request) else HttpResponse(render_to_string("500.html", {"error": error}))
    page.status_code = error.status
    return _with_headers(page, error)


def _answer(request: HttpRequest, error: DomainError) -> HttpResponse:
    return _with_headers(_envelope(error) if _wants_json(request) else _page(request, error), error)


def _with_headers(response: HttpResponse, error: DomainError) -> HttpResponse:
    for name, value in error.headers.items():
        response[name] = value
    return response


def _wants_json(request: HttpRequest) -> bool:
    if request.path.startswith("/api/"):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _envelope(error: DomainError) -> HttpResponse:
    body = {"code": error.code, "message": str(error.message), "param": error.param}
    return JsonResponse({"error": body}, status=error.status)


def _page(request: HttpRequest, error: DomainError) -> HttpResponse:
    return render(request, "errors/domain.html", {"error": error}, status=error.status)
