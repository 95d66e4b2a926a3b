"""Why a rule of the university says no."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError, Refusal


class AcknowledgmentRequired(Refusal):
    """A clause, in its current version, has not been accepted."""

    code = "acknowledgment_required"
    message = _("Please read and accept the current clauses first, on the page Clauses. Nothing was charged.")


class PolicyRefused(Refusal):
    """The person's role, or a rule of the course, forbids this."""

    code = "policy_refused"
    message = _("A rule of the university does not allow this. Nothing was charged.")


class VersionSuperseded(Refusal):
    """The wording that was read is not the current one any more."""

    code = "version_superseded"
    status = 409
    message = _("A newer wording was published while you were reading. Please read and accept that one.")


class AlreadyPublished(Refusal):
    """A published wording never changes; a change is a new version."""

    code = "already_published"
    status = 409
    message = _("This version is published and stays as it is. Draft a new version to change the wording.")


class Closed(DomainError):
    """Maintenance: only administrators come in. What runs already ends as it would."""

    code = "maintenance"
    status = 503
    message = _("The service is closed for maintenance. Nothing was charged; try again later.")

    def __init__(self, message: str | Promise = "", *, retry_after: int = 300) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message, headers={"retry-after": str(max(1, min(retry_after, 3600)))})
