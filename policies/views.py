"""The page where people read and accept clauses, and where administrators write them."""

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.selectors import count_active_people
from accounts.types import Role
from policies import selectors, services
from policies.forms import AcceptForm, VersionForm


@never_cache
@role_required()
@require_http_methods(["GET", "POST"])
def clauses(request: HttpRequest) -> HttpResponse:
    """The clause to accept next, and below it what was accepted and when."""
    person = principal_of(request.user)
    form = AcceptForm(request.POST or None)
    if form.is_valid():
        services.acknowledge(
            user_id=person.user_id,
            version_id=form.cleaned_data["version"],
            language=form.cleaned_data["language"],
            session_key=request.session.session_key or "",
            address=get_adapter().get_client_ip(request),
        )
        return redirect(_onward(request, person.user_id))
    context = {
        "form": form,
        "version": selectors.list_outstanding(person.user_id).first(),
        "accepted": selectors.list_acknowledgments(person.user_id),
        "languages": settings.LANGUAGES,
        "reading": _reading(request),
        "next": _safe_next(request),
        "kept": f"&{urlencode({'next': _safe_next(request)})}" if _safe_next(request) else "",
    }
    return render(request, "policies/clauses.html", context, status=400 if form.errors else 200)


@role_required()
@require_GET
def wording(request: HttpRequest, version_id: int) -> HttpResponse:
    """One published wording, to read again or to print; administrators may read drafts."""
    wanted = selectors.access_version(principal=principal_of(request.user), version_id=version_id)
    context = {"version": wanted, "languages": settings.LANGUAGES, "reading": _reading(request)}
    return render(request, "policies/wording.html", context)


@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest, clause_id: int) -> HttpResponse:
    """Write the next version of a clause, beginning from the last one."""
    clause = selectors.get_clause(clause_id)
    latest = clause.versions.first()
    form = VersionForm(request.POST or None, initial=selectors.wordings_of(latest) if latest else {})
    if form.is_valid():
        made = services.create_version(clause_id=clause.id, **form.content())
        messages.success(request, _("The draft is saved. Nobody sees it before you publish it."))
        return redirect("clause_version", made.id)
    context = {"form": form, "clause": clause, "latest": latest}
    return render(request, "policies/draft.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    """A draft: change it and see it as people will."""
    form = VersionForm(request.POST or None, instance=selectors.get_draft(version_id))
    if form.is_valid():
        services.update_draft(version_id=version_id, **form.content())
        messages.success(request, _("The draft is saved."))
        return redirect("clause_version", version_id)
    context = {
        "form": form,
        "version": selectors.get_draft(version_id),
        "languages": settings.LANGUAGES,
        "reading": _reading(request),
        "people": count_active_people(),
    }
    return render(request, "policies/version.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_POST
def publish(request: HttpRequest, version_id: int) -> HttpResponse:
    """Put a draft in force."""
    published = services.publish_version(version_id=version_id, by_id=principal_of(request.user).user_id)
    messages.success(request, _("Version %(number)s is in force.") % {"number": published.number})
    return redirect("manage_clauses")


@role_required(Role.ADMIN)
@require_POST
def discard(request: HttpRequest, version_id: int) -> HttpResponse:
    """Throw a draft away."""
    services.delete_draft(version_id=version_id)
    messages.success(request, _("The draft is gone."))
    return redirect("manage_clauses")


def _reading(request: HttpRequest) -> str:
    """The language the text is shown in: the tab that was chosen, else the page's own."""
    offered = dict(settings.LANGUAGES)
    chosen = request.POST.get("language") or request.GET.get("text") or get_language() or "en"
    return chosen if chosen in offered else "en"


def _safe_next(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if is_ours else ""


def _onward(request: HttpRequest, user_id: int) -> str:
    target = _safe_next(request)
    if selectors.list_outstanding(user_id).exists():
        return reverse("clauses") + (f"?{urlencode({'next': target})}" if target else "")
    return target or "/"
