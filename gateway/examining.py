"""How a provider does and what a test of it found, in words for administrators. Its own words never pass."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.text import join_sentences
from gateway.errors import CredentialLost, UpstreamDown, UpstreamError, UpstreamTimeout
from gateway.routing import Circuit
from gateway.selectors import Health

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of it.

    Args:
        missing: names that our routes ask for and the provider does not list.
    """

    is_well: bool
    words: str
    missing: tuple[str, ...] = ()


def describe_listing(offered: Collection[str], wanted: Collection[str], *, milliseconds: int) -> Examination:
    """The address answered with these names; our routes ask for those."""
    words = ngettext(
        "It answered in %(milliseconds)s ms and lists %(number)s model.",
        "It answered in %(milliseconds)s ms and lists %(number)s models.",
        len(offered),
    ) % {"milliseconds": milliseconds, "number": len(offered)}
    missing = tuple(sorted(set(wanted) - set(offered)))
    if not missing:
        return Examination(is_well=True, words=words)
    named = ", ".join(missing[:_MOST_NAMED]) + (" …" if len(missing) > _MOST_NAMED else "")
    lacking = _("Not among them, though models here are sent there under these names: %(names)s.") % {"names": named}
    return Examination(is_well=False, words=join_sentences([words, lacking]), missing=missing)


def describe_failure(error: UpstreamError) -> Examination:
    """The address did not answer as it should; what to look at."""
    return Examination(is_well=False, words=_words_for(error))


def _words_for(error: UpstreamError) -> str:
    if isinstance(error, CredentialLost):
        return _(
            "A credential is stored and cannot be opened: the key it was encrypted with has changed. Enter it again."
        )
    if isinstance(error, UpstreamTimeout):
        return _("It did not answer in time. It may be overloaded, or something on the way swallows what is sent.")
    if error.answered is not None:
        return str(_sentence_about(error.answered)) % {"status": error.answered}
    if not isinstance(error, UpstreamDown):
        return _("It answered, but not with a list of models. Check the address.")
    if "certificate" in str(error.__cause__ and error.__cause__.__cause__).lower():
        return _("Its certificate is not trusted. A university's own authority is named in UPSTREAM_CA_FILE.")
    return _("No connection could be made. Check the address, the network and the proxy.")


def _sentence_about(status: int) -> "StrPromise":
    if status < 400:
        return gettext_lazy("It sends callers elsewhere (status %(status)s). Enter the address that answers itself.")
    if status in _SENTENCES:
        return _SENTENCES[status]
    return gettext_lazy("It answered with an error of its own (status %(status)s). Ask the provider.")


_REFUSED = gettext_lazy("It refused the credential (status %(status)s). Enter the credential again.")
_NOT_HERE = gettext_lazy("There is no list of models at this address (status %(status)s). Does it end in /v1?")
_SENTENCES = {
    401: _REFUSED,
    403: _REFUSED,
    404: _NOT_HERE,
    405: _NOT_HERE,
    429: gettext_lazy("It is there, and asks to be left alone (status %(status)s): its own limit is reached."),
}


def describe_calls(health: Health) -> str:
    """What became of a provider's calls lately."""
    calls = ngettext("%(number)s call", "%(number)s calls", health.calls) % {"number": number_format(health.calls)}
    if not health.failed:
        return calls
    return _("%(calls)s, %(failed)s failed") % {"calls": calls, "failed": number_format(health.failed)}


def describe_circuit(circuit: Circuit) -> str:
    """How a place stands."""
    return str(_CIRCUITS[circuit])


_CIRCUITS = {
    Circuit.WELL: gettext_lazy("nothing wrong"),
    Circuit.STUMBLING: gettext_lazy("failed a moment ago"),
    Circuit.ASKED_FOR_REST: gettext_lazy("asked to be left alone"),
    Circuit.RESTING: gettext_lazy("rests after failures"),
}
