"""GET /v1/openapi.json: what /v1 takes and answers, for programs, made from the very rules that check each request."""

from collections import defaultdict
from functools import cache
from typing import Any

import orjson

from accounts.errors import AccountSuspended, InvalidApiKey
from core.errors import DomainError, InvalidRequest, NotFound, RateLimited, RequestTooSlow, Unavailable
from courses.errors import RuleNotAccepted
from gateway.errors import (
    ContentFiltered,
    IdempotencyInFlight,
    IdempotencyMismatch,
    ModelNotFound,
    RequestTooLarge,
    ServerFault,
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
)
from gateway.wire import chat_completions, embeddings, image_edits, images, moderations, responses
from gateway.wire.fields import Schema
from policies.errors import AcknowledgmentRequired, Closed, PolicyRefused
from quotas.errors import QuotaExhausted, TooManyTurns, Unmeasured

PATH = "/v1/openapi.json"
_VERSION = "1"
_JSON, _FORM, _STREAM = "application/json", "multipart/form-data", "text/event-stream"

# What any route may refuse with, and what only those that go to a provider may.
_ALWAYS = (InvalidApiKey, InvalidRequest, AccountSuspended, NotFound, Unavailable, Closed, ServerFault)
_OF_CALLS = (
    AcknowledgmentRequired, RuleNotAccepted, PolicyRefused, Unmeasured, TooManyTurns, ModelNotFound, RequestTooLarge,
    RequestTooSlow, IdempotencyInFlight, IdempotencyMismatch, QuotaExhausted, RateLimited, ContentFiltered,
    UpstreamError, UpstreamBusy, UpstreamTimeout,
)  # fmt: skip

_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
# No type: what reads a stream event by event takes it for that of an event, which OpenAPI can say from 3.2 on.
_EVENTS = {"description": "Server-sent events, a JSON object in the data of each. A chat completion ends with [DONE]."}
_LIST_OF_OBJECTS = {"type": "array", "items": {"type": "object"}}


def _object(**properties: Schema) -> Schema:
    """An answer that has these, and may have more."""
    return {"type": "object", "properties": properties, "required": list(properties)}


_MODEL = _object(id=_TEXT, object={"const": "model"}, created=_WHOLE, owned_by=_TEXT)
_MODELS = _object(object={"const": "list"}, data={"type": "array", "items": {"$ref": "#/components/schemas/Model"}})
_ERROR = _object(
    error=_object(message=_TEXT, type=_TEXT, param={"type": ["string", "null"]}, code=_TEXT),
)
_COMPLETION = _object(model=_TEXT, choices={**_LIST_OF_OBJECTS, "minItems": 1})
_RESPONSE = _object(model=_TEXT, output=_LIST_OF_OBJECTS)
_VECTORS = _object(model=_TEXT, data={**_LIST_OF_OBJECTS, "minItems": 1})
_JUDGMENTS = _object(model=_TEXT, results={**_LIST_OF_OBJECTS, "minItems": 1})
_PICTURES = _object(data={"type": "array", "minItems": 1, "items": _object(b64_json=_TEXT)})

_COURSE = {
    "name": "X-Course",
    "in": "header",
    "description": "The code of the course this is for, such as COMP1117.",
    "schema": {"type": "string", "maxLength": 57, "pattern": "^[ -~]*$"},
}
_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "For 24 hours the same key and body get the first answer again, and are one call.",
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[ -~]*$"},
}
_MODEL_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


@cache
def render() -> bytes:
    """The document in JSON."""
    return orjson.dumps(describe())


def describe() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The OpenAI-compatible API",
            "version": _VERSION,
            "description": "A field that is null counts as left out. An administrator may let further fields pass for"
            " a model. Every answer has x-request-id; an answer to a call has x-ratelimit-* headers.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {
            PATH: {"get": _reading("describe_api", "This document", {"type": "object"})},
            "/v1/models": {"get": _reading("list_models", "The models you may use", _MODELS)},
            "/v1/models/{id}": {
                "parameters": [_MODEL_ID],
                "get": _reading("read_model", "One model", {"$ref": "#/components/schemas/Model"}),
            },
            "/v1/chat/completions": {
                "post": _calling(
                    "chat", "An answer to a conversation", chat_completions.BODY, _COMPLETION, streams=True
                )
            },
            "/v1/responses": {
                "post": _calling("respond", "The same in OpenAI's newer words", responses.BODY, _RESPONSE, streams=True)
            },
            "/v1/images/generations": {
                "post": _calling("draw", "Images after a text", images.BODY, _PICTURES, streams=True)
            },
            "/v1/images/edits": {
                "post": _calling(
                    "edit", "Images after a text and images", image_edits.BODY, _PICTURES, kind=_FORM, streams=True
                )
            },
            "/v1/embeddings": {"post": _calling("embed", "Vectors of texts", embeddings.BODY, _VECTORS)},
            "/v1/moderations": {"post": _calling("judge", "What is harmful in a text", moderations.BODY, _JUDGMENTS)},
        },
        "components": {
            "schemas": {"Error": _ERROR, "Model": _MODEL},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key from the page My keys."}
            },
        },
    }


def _reading(name: str, summary: str, answer: Schema) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": _answers({_JSON: answer}, _ALWAYS),
    }


def _calling(
    name: str, summary: str, body: Schema, answer: Schema, *, kind: str = _JSON, streams: bool = False
) -> dict[str, Any]:
    answers = {_JSON: answer, **({_STREAM: _EVENTS} if streams else {})}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_COURSE, _ONCE],
        "requestBody": {"required": True, "content": {kind: {"schema": body}}},
        "responses": _answers(answers, _ALWAYS + _OF_CALLS),
    }


def _answers(answers: dict[str, Schema], errors: tuple[type[DomainError], ...]) -> dict[str, Any]:
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for error in errors:
        codes[error.status].append(error.code)
    content = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "Done", "content": {kind: {"schema": schema} for kind, schema in answers.items()}},
        **{
            str(status): {"description": ", ".join(sorted(set(said))), "content": content}
            for status, said in sorted(codes.items())
        },
    }
