"""The one tree of errors that people may see.

DomainError           a code, an HTTP status, a sentence for the person; never a traceback
├── Refusal           "you may not, and here is why"
├── InvalidRequest    "we could not read that"
├── NotFound          also for "not yours": existence is never revealed
└── UpstreamError     "not your fault" (gateway.errors)

Each room keeps its own leaves in its errors.py. docs/errors.md lists every code; a test compares the two.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A condition with a code, a status and a sentence written for the person who meets it.

    Args:
        message: the sentence; the class's own when empty.
        headers: HTTP headers the answer must carry, such as `retry-after`.
        param: the field of the request that is to blame, if one is.
    """

    code: str = "error"
    status: int = 500
    message: str | Promise = _("Something went wrong.")

    def __init__(
        self,
        message: str | Promise = "",
        *,
        headers: Mapping[str, str] | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.headers = dict(headers or {})
        self.param = param


class Refusal(DomainError):
    """The person may not do this now, and the sentence says why."""

    code = "policy_refused"
    status = 403
    message = _("This is not allowed.")


class InvalidRequest(DomainError):
    """The request could not be understood; `param` names the field."""

    code = "invalid_request"
    status = 400
    message = _("The request could not be understood.")


class RequestTooSlow(InvalidRequest):
    """The request's head or its body did not arrive in time."""

    code = "request_timeout"
    status = 408
    message = _("The request did not arrive in time. Send it again.")


class NotFound(DomainError):
    """There is no such thing, or it belongs to someone else."""

    code = "not_found"
    status = 404
    message = _("There is nothing here by that name.")


class RateLimited(Refusal):
    """Too fast, or too many at once: protects the machine, never the quota."""

    code = "rate_limit_exceeded"
    status = 429
    message = _("Too many requests at once. Wait a moment and try again.")

    def __init__(self, message: str | Promise = "", *, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message, headers={"retry-after": str(max(1, retry_after))})


class Unavailable(DomainError):
    """The database cannot be reached: nothing is admitted without a durable row."""

    code = "unavailable"
    status = 503
    message = _("The service cannot reach its database. Nothing was charged; try again in a moment.")

    def __init__(self, message: str | Promise = "") -> None:
        super().__init__(message, headers={"retry-after": "5"})
