"""The common ground of the resource API: who is asking, how lists turn pages, how errors look.

REST framework reads this module while it loads its views, so nothing here may import them; what stands under /api/ is
wired in config/resources.py.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import authenticate_api_key
from accounts.errors import SignInRequired
from accounts.models import User
from accounts.selectors import get_person_by_id
from accounts.types import Principal
from core import clock
from core.errors import DomainError, InvalidRequest, NotFound, Refusal
from core.serializers import ExactSerializer
from core.text import join_sentences
from policies.selectors import list_running_notices
from policies.services import check_open


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`: `request.auth` is the principal, and None for a session."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        principal = authenticate_api_key(key.strip())
        check_open(list_running_notices(), role=principal.role, at=clock.now())
        return get_person_by_id(principal.user_id), principal

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes keys."""

    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key from the page My keys."}


class ExactShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document says that a body takes no other fields."""

    target_class = ExactSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """The shape as it would be, closed."""
        shape: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return shape | {"additionalProperties": False}


class Body(BaseParser):
    """JSON as RFC 8259 has it: no NaN, no half characters that nothing can store or send back, no endless nesting."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise exceptions.ParseError(_("The body is not valid JSON: %(why)s.") % {"why": error.msg}) from error


_ID = re.compile(r"[0-9]{1,18}")


class Pages(CursorPagination):
    """Newest first, by cursor: a page stays right while rows are added. `limit` sets its size, 50 by default."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Any:
        """The place in the list; one that this list never gave out leads nowhere, whatever it holds."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not _ID.fullmatch(str(cursor.position)):
            raise exceptions.NotFound
        return cursor


def answer_error(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler: every error as `{"error": {"code", "message", "fields"?}}`, in JSON."""
    # The description is shown as a page and sent as YAML; its errors are neither.
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    error = _OURS.get(type(error), error)
    if isinstance(error, DomainError):
        fields = {error.param: [str(error.message)]} if error.param else None
        return Response(envelope(error.code, str(error.message), fields), error.status, headers=error.headers)
    if isinstance(error, ValidationError | exceptions.ValidationError):
        return Response(_invalid(error), InvalidRequest.status)
    if isinstance(error, exceptions.APIException):
        code = _CODES.get(type(error), error.default_code)
        return Response(envelope(code, str(error.detail)), error.status_code)
    return None


_OURS: dict[type[Exception], DomainError] = {
    Http404: NotFound(),
    exceptions.NotFound: NotFound(),
    PermissionDenied: Refusal(),
    exceptions.NotAuthenticated: SignInRequired(
        _("Sign in, or send an API key: Authorization: Bearer cak_…"), headers={"WWW-Authenticate": "Bearer"}
    ),
}
_CODES = {exceptions.ParseError: InvalidRequest.code, exceptions.PermissionDenied: Refusal.code}


def envelope(code: str, message: str, fields: object = None) -> dict[str, Any]:
    """The body of every error of the resource API; `fields` holds sentences by field."""
    return {"error": {"code": code, "message": message} | ({"fields": fields} if fields else {})}


@csrf_exempt
def nothing_here(request: HttpRequest, rest: str = "") -> JsonResponse:
    """JSON, never HTML, for a path under /api/ that leads nowhere."""
    sentence = _("There is nothing at this address. Paths of the API end with a slash; /api/docs/ lists them.")
    return JsonResponse(envelope(NotFound.code, str(sentence)), status=NotFound.status)


def _invalid(error: ValidationError | exceptions.ValidationError) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        by_field: Any = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
    else:
        by_field = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    general = [sentence for key in ("non_field_errors", "__all__") for sentence in by_field.get(key, ())]
    fields = {name: said for name, said in by_field.items() if name not in ("non_field_errors", "__all__")}
    return envelope(InvalidRequest.code, join_sentences(general) or str(_("Some fields need mending.")), fields)
