"""The administrators' page of the audit log: who did what, and whether the log is whole."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.authentication import role_required
from accounts.types import Role
from audit.lists import Column, Listing
from audit.models import Entry
from audit.selectors import find_last, list_entries, verify
from review.forms import AuditFilterForm


def _changes(entry: Entry) -> str:
    return "; ".join(f"{field}: {old} → {new}" for field, (old, new) in entry.changes.items())


LOG = Listing(
    name="audit",
    columns=(
        Column("number", gettext_lazy("Number"), lambda entry: entry.number, "number", is_number=True),
        Column("at", gettext_lazy("Time"), lambda entry: localtime(entry.at).isoformat(), "at"),
        Column("actor", gettext_lazy("Who"), lambda entry: entry.actor),
        Column("action", gettext_lazy("Act"), lambda entry: entry.action, "action"),
        Column("subject", gettext_lazy("To what"), lambda entry: f"{entry.subject} {entry.name}".strip()),
        Column("changes", gettext_lazy("What changed"), _changes),
        Column("reason", gettext_lazy("Reason"), lambda entry: entry.reason),
        Column("through", gettext_lazy("Door"), lambda entry: entry.through),
        Column("address", gettext_lazy("Address"), lambda entry: entry.address),
    ),
    row="review/_entry_row.html",
    order="-number",
)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def audit(request: HttpRequest) -> HttpResponseBase:
    """What administrators and teachers did, the newest first."""
    form = AuditFilterForm(request.GET)
    found = list_entries(**form.cleaned_data) if form.is_valid() else None
    return LOG.answer(request, found, template="review/audit.html", form=form, context={"last": find_last()})


@role_required(Role.ADMIN)
@require_POST
def verify_audit(request: HttpRequest) -> HttpResponse:
    """Walk the whole chain now."""
    verdict = verify()
    if verdict.is_sound:
        said = _("All %(entries)s entries are as they were written, and %(anchors)s anchors agree.")
        messages.success(request, said % {"entries": verdict.entries, "anchors": verdict.anchors})
    else:
        said = _("The log was tampered with, or a part of it is lost. %(problem)s")
        messages.error(request, said % {"problem": verdict.problem})
    return redirect("manage_audit")
