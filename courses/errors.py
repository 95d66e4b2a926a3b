"""Why a roster is not imported, and why a course says no."""

from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from core.sheets import UnreadableSheet


class UnreadableRoster(UnreadableSheet):
    """A roster has lines that cannot be imported; none of it was."""

    code = "unreadable_roster"
    message = _("The roster was not imported: some lines need mending.")


class CourseRefused(Refusal):
    """The rule of a course, or an exam, forbids this; the sentence says which."""

    code = "policy_refused"
    message = _("The rule of the course does not allow this. Nothing was charged.")


class RuleNotAccepted(Refusal):
    """The course's rule, in its present version, has not been accepted by this student."""

    code = "rule_acknowledgment_required"
    message = _("Please read and accept the AI rule of the course first. Nothing was charged.")


class RuleSuperseded(Refusal):
    """The version that was read is not in force any more."""

    code = "version_superseded"
    status = 409
    message = _("A newer version of the rule was published while you were reading. Please read and accept that one.")
