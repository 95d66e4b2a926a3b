"""What can go wrong between us and a provider, and at the catalog. Provider text never reaches the person."""

import math

from django.utils.translation import gettext_lazy as _

from core.errors import DomainError, InvalidRequest, NotFound, Refusal

_LONGEST_TOLD = 60  # seconds until a client is to ask again, however long a provider wants to be left alone


class ModelNotFound(NotFound):
    """No such model, or one this person may not see."""

    code = "model_not_found"
    message = _("There is no model by that name for you. GET /v1/models lists the ones you may use.")


class RequestTooLarge(InvalidRequest):
    """The body is larger than MAX_REQUEST_BYTES."""

    code = "request_too_large"
    status = 413
    message = _("This request is too large. Send shorter messages or smaller pictures.")


class MethodNotAllowed(InvalidRequest):
    """The route exists, and not for this method."""

    code = "method_not_allowed"
    status = 405
    message = _("This route does not take that method.")


class ServerFault(DomainError):
    """A bug of ours: the log has the details under the request id."""

    code = "internal_error"
    message = _("Something went wrong here. Your prompt was given back; report the request id if it happens again.")


class IdempotencyMismatch(Refusal):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"
    status = 422
    message = _("This Idempotency-Key was used with a different request in the last 24 hours.")


class IdempotencyInFlight(Refusal):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency_in_flight"
    status = 409
    message = _("The first request with this Idempotency-Key is still running.")

    def __init__(self) -> None:
        super().__init__(headers={"retry-after": "1"})


class UpstreamError(DomainError):
    """The provider failed or answered nonsense. Not the person's fault; the prompt comes back.

    `is_transient` marks a failure that a second attempt may cure: no connection, or a 5xx (D7). `answered` is the
    provider's own status, where it gave one.
    """

    code = "upstream_error"
    status = 502
    message = _("The AI provider failed. Your prompt was given back; try again.")
    is_transient = False
    answered: int | None = None


class CredentialLost(UpstreamError):
    """What the provider is to be shown cannot be opened: the key of credentials is another, or gone."""


class UpstreamDown(UpstreamError):
    """The provider could not be reached, or said that it is broken."""

    is_transient = True


class UpstreamTimeout(UpstreamError):
    """The provider was too slow."""

    code = "upstream_timeout"
    status = 504
    message = _("The AI provider took too long. Your prompt was given back; try again.")


class UpstreamBusy(UpstreamError):
    """The provider's own rate limit, or it asks to be left alone for a while."""

    code = "upstream_busy"
    status = 503
    message = _("The AI provider is too busy right now. Your prompt was given back; try again in a moment.")

    def __init__(self, *, retry_after: float = 10) -> None:
        """`retry_after` is in seconds, as the provider asks. A client is told whole ones, and a minute at most."""
        self.retry_after = retry_after
        super().__init__(headers={"retry-after": str(max(1, math.ceil(min(retry_after, _LONGEST_TOLD))))})


class ContentFiltered(UpstreamError):
    """The provider's content filter refused the prompt before answering (D6)."""

    code = "content_filter"
    status = 400
    message = _(
        "The AI provider's content filter refused this prompt. Your prompt was given back; word it differently."
    )


class UpstreamRejected(UpstreamError):
    """The provider calls the request invalid (a 4xx that is not about us)."""

    code = "invalid_request"
    status = 400
    message = _("The AI provider did not accept this request. Your prompt was given back; check its parameters.")


class Restarting(DomainError):
    """The server is stopping while the answer still runs."""

    code = "unavailable"
    status = 503
    message = _("The service is restarting. Your prompt was given back; try again in a moment.")

    def __init__(self) -> None:
        super().__init__(headers={"retry-after": "5"})
