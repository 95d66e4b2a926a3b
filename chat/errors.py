"""Why the chat page says no, and the words for an answer or an image that failed."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.errors import AccountSuspended
from core.errors import DomainError, Refusal
from courses.errors import RuleNotAccepted
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from policies.errors import AcknowledgmentRequired, PolicyRefused


class AnswerRunning(Refusal):
    """One conversation grows one answer at a time."""

    code = "answer_running"
    status = 409
    message = _("The answer before this one is still being written. Wait for its end or stop it. Nothing was charged.")


class Lost(DomainError):
    """The process that was answering died; what it held was given back."""

    code = "lost"
    message = _("The server was interrupted while it worked on this. Try again.")


_FAILURES: dict[str, str | Promise] = {
    UpstreamError.code: _("The AI provider failed."),
    UpstreamTimeout.code: _("The AI provider took too long."),
    UpstreamBusy.code: _("The AI provider is too busy right now. Wait a moment before you try again."),
    ContentFiltered.code: _("The AI provider’s content filter declined this. Word it differently."),
    UpstreamRejected.code: _("The AI provider did not accept this request. Shorten it or choose another model."),
    Lost.code: Lost.message,
    AcknowledgmentRequired.code: _("Please read and accept the current clauses first, on the page Clauses."),
    RuleNotAccepted.code: _("Please read and accept the AI rule of the course first, on its page."),
    PolicyRefused.code: _("A rule of the course or of the university no longer allows this."),
    AccountSuspended.code: AccountSuspended.message,
}


def explain(code: str) -> str:
    """What happened, in the language of the reader, for the `code` an answer or an image job ended with."""
    return str(_FAILURES.get(code, _FAILURES[UpstreamError.code]))
