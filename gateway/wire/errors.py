"""Errors in OpenAI's envelope, so that its clients raise their own exceptions."""

import orjson

from core.errors import DomainError

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def render(error: DomainError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`."""
    kind = "insufficient_quota" if error.code == "insufficient_quota" else _TYPES.get(error.status)
    fallback = "server_error" if error.status >= 500 else "invalid_request_error"
    return orjson.dumps(
        {
            "error": {
                "message": str(error.message),
                "type": kind or fallback,
                "param": error.param,
                "code": error.code,
            }
        }
    )


def list_headers(error: DomainError) -> dict[str, str]:
    """The error's own headers, and whether asking again makes sense: untold, clients ask twice more (D9)."""
    may_retry = "retry-after" in error.headers or error.status >= 500
    return {"x-should-retry": "true" if may_retry else "false", **error.headers}
