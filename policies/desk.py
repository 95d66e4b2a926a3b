"""What changed between two wordings, for everyone; who accepted what, and notices to everybody, for administrators."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.selectors import count_active_people
from accounts.types import Role
from audit.lists import Column, Listing
from core import clock
from policies import selectors, services
from policies.differences import compare
from policies.forms import AcceptanceFilterForm, ComparedForm, NoticeFilterForm, NoticeForm, VersionFilterForm
from policies.models import ClauseVersion


def _kind(version: ClauseVersion) -> str:
    return "asks everyone" if version.asks_again else "wording only"


VERSIONS = Listing(
    name="clauses",
    columns=(
        Column("clause", gettext_lazy("Clause"), lambda version: version.clause.slug, "clause__slug"),
        Column("version", gettext_lazy("Version"), lambda version: version.number, "number", is_number=True),
        Column("title", gettext_lazy("Title"), lambda version: version.title_in(get_language() or "en")),
        Column("since", gettext_lazy("In force since"), lambda version: _moment(version.published_at), "since"),
        Column("kind", gettext_lazy("Kind of change"), _kind, "asks_again"),
        Column("note", gettext_lazy("What changed"), lambda version: version.change_note),
        Column("accepted", gettext_lazy("People who accepted"), lambda version: version.accepted, "accepted", True),
    ),
    row="policies/_version_row.html",
    order="-since",
)

ACCEPTANCES = Listing(
    name="acceptances",
    columns=(
        Column("name", gettext_lazy("Name"), lambda person: person.name, "name"),
        Column("email", gettext_lazy("E-mail"), lambda person: person.email, "email"),
        Column("role", gettext_lazy("Role"), lambda person: person.role, "role"),
        Column("version", gettext_lazy("Version accepted"), lambda person: person.accepted_number, "", is_number=True),
        Column("at", gettext_lazy("Accepted"), lambda person: _moment(person.accepted_at)),
        Column("reason", gettext_lazy("Recorded on their behalf"), lambda person: person.accepted_reason),
        Column("state", gettext_lazy("State"), lambda person: "outstanding" if person.is_outstanding else "accepted"),
    ),
    row="policies/_acceptance_row.html",
    order="name",
)

NOTICES = Listing(
    name="notices",
    columns=(
        Column("text", gettext_lazy("Text"), lambda notice: notice.text_en),
        Column("level", gettext_lazy("Level"), lambda notice: notice.level, "level"),
        Column("from", gettext_lazy("From"), lambda notice: _moment(notice.starts_at), "starts_at"),
        Column("until", gettext_lazy("Until"), lambda notice: _moment(notice.ends_at)),
    ),
    row="policies/_notice_row.html",
    order="-from",
)


@never_cache
@role_required()
@require_GET
def changes(request: HttpRequest, version_id: int) -> HttpResponse:
    """One wording against an earlier one, in the language of the tab."""
    reader = principal_of(request.user)
    shown = selectors.access_version(principal=reader, version_id=version_id)
    others = selectors.list_others(principal=reader, version=shown)
    form = ComparedForm(request.GET, others=others)
    chosen = form.cleaned_data["against"] if form.is_valid() else None
    reading = request.GET.get("text", "")
    reading = reading if reading in dict(settings.LANGUAGES) else get_language() or "en"
    context: dict[str, Any] = {
        "version": shown,
        "against": chosen,
        "form": form,
        "languages": settings.LANGUAGES,
        "reading": reading,
        "kept": f"&against={chosen.pk}" if chosen else "",
    }
    if chosen:
        context["title"] = compare(chosen.title_in(reading), shown.title_in(reading))
        context["body"] = compare(chosen.body_in(reading), shown.body_in(reading))
        context["is_same"] = not any(piece.is_new or piece.is_old for piece in context["title"] + context["body"])
    return render(request, "policies/changes.html", context, status=400 if form.errors else 200)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def clauses(request: HttpRequest) -> HttpResponseBase:
    """Every clause and the versions of each, with how many people accepted them."""
    form = VersionFilterForm(request.GET)
    found = selectors.list_versions(**form.cleaned_data) if form.is_valid() else None
    context = {"clauses": selectors.list_clauses(), "people": count_active_people()}
    return VERSIONS.answer(request, found, template="policies/manage.html", form=form, context=context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def acceptances(request: HttpRequest, clause_id: int) -> HttpResponseBase:
    """Who accepted which version of a clause, and who is still asked."""
    clause = selectors.get_clause(clause_id)
    form = AcceptanceFilterForm(request.GET)
    found = selectors.list_acceptances(clause_id, **form.cleaned_data) if form.is_valid() else None
    context = {"clause": clause, "counts": selectors.count_acceptances(clause_id)}
    return ACCEPTANCES.answer(request, found, template="policies/acceptances.html", form=form, context=context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def notices(request: HttpRequest) -> HttpResponseBase:
    """What everybody was told, is told and will be."""
    form = NoticeFilterForm(request.GET)
    found = selectors.list_notices(**form.cleaned_data) if form.is_valid() else None
    return NOTICES.answer(request, found, template="policies/notices.html", form=form, context={"now": clock.now()})


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_notice(request: HttpRequest) -> HttpResponse:
    """Tell everybody something, or close the doors."""
    form = NoticeForm(request.POST or None)
    if form.is_valid():
        services.create_notice(columns=form.cleaned_data)
        messages.success(request, _("The notice is kept. It is shown while it runs."))
        return redirect("manage_notices")
    return render(request, "policies/notice.html", {"form": form}, status=400 if form.errors else 200)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def notice(request: HttpRequest, notice_id: int) -> HttpResponse:
    """One notice; POST changes it."""
    shown = selectors.get_notice(notice_id)
    form = NoticeForm(request.POST or None, instance=selectors.get_notice(notice_id))
    if form.is_valid():
        services.update_notice(notice_id=notice_id, columns=form.cleaned_data)
        messages.success(request, _("The notice is changed."))
        return redirect("manage_notices")
    context = {"form": form, "notice": shown, "is_over": shown.ends_at and shown.ends_at <= clock.now()}
    return render(request, "policies/notice.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_POST
def end_notice(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Take a notice down now."""
    services.end_notice(notice_id=notice_id)
    messages.success(request, _("The notice is over."))
    return redirect("manage_notices")


def _moment(at: Any) -> str:
    return localtime(at).isoformat() if at else ""
