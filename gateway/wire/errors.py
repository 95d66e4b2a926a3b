"""Errors in OpenAI's envelope, so that its clients raise their own exceptions."""

import orjson

from core.errors import DomainError
from quotas.errors import QuotaExhausted
from quotas.types import Standing, Unit

# Seconds. Who is to wait longer is told not to: openai-python gives up by itself then, openai-node would sleep so long.
_SOON = 120

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
    """The error's own headers, and whether asking again makes sense: untold, clients ask twice more (D9).

    Prompts are told of in every answer; a quota of another unit when it refuses.
    """
    wait = int(error.headers.get("retry-after", "0"))
    may_retry = 0 < wait <= _SOON or (not wait and error.status >= 500)
    told = _list_limits(error.standing) if isinstance(error, QuotaExhausted) else {}
    return {"x-should-retry": "true" if may_retry else "false", **told, **error.headers}


def _list_limits(standing: Standing) -> dict[str, str]:
    unit, ends_at = standing.unit, standing.window.ends_at
    if unit == Unit.PROMPTS:
        return {}
    limits = {"limit": standing.limit, "remaining": standing.left, "reset": ends_at and int(ends_at.timestamp())}
    return {f"x-ratelimit-{word}-{unit}": str(value) for word, value in limits.items() if value is not None}
