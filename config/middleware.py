"""What stands around every page: the person's own language, and domain errors turned into answers."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import render
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from core.errors import DomainError, InvalidRequest


class LanguageMiddleware(LocaleMiddleware):
    """The language kept in the account; else the cookie's, else the browser's. Stands after authentication."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        own = getattr(request.user, "language", "")
        if own in dict(settings.LANGUAGES):
            translation.activate(own)
            request.LANGUAGE_CODE = own


class DomainErrorMiddleware(MiddlewareMixin):
    """Renders a DomainError that a view let through; everything else is Django's to report."""

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        # Forms refuse NUL; in an address it would reach PostgreSQL, whose texts cannot hold it.
        if "\0" in request.path or "%00" in request.META["QUERY_STRING"]:
            unreadable = InvalidRequest(_("The address is not complete. Go back and follow the link again."))
            return self.process_exception(request, unreadable)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DomainError):
            return None
        response = _envelope(exception) if _wants_json(request) else _page(request, exception)
        for name, value in exception.headers.items():
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
