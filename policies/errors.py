"""Why a rule of the university says no."""

from django.utils.translation import gettext_lazy as _

from core.errors import Refusal


class AcknowledgmentRequired(Refusal):
    """A clause, in its current version, has not been accepted."""

    code = "acknowledgment_required"
    message = _("Please read and accept the current clauses first, on the page Clauses. Nothing was charged.")


class PolicyRefused(Refusal):
    """The person's role, or a rule of the course, forbids this."""

    code = "policy_refused"
    message = _("A rule of the university does not allow this. Nothing was charged.")
