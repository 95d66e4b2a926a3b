"""The administrators' pages of terms: by them quotas per term are counted and assignments are dated."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import role_required
from accounts.types import Role
from audit.lists import Column, Listing
from core import clock
from courses.forms import TermChangeForm, TermFilterForm, TermForm
from courses.selectors import find_terms, get_term
from courses.services import remove_term, save_term

TERMS = Listing(
    name="terms",
    columns=(
        Column("code", pgettext_lazy("of a course", "Code"), lambda term: term.code, "code"),
        Column("name", gettext_lazy("Name"), lambda term: term.name, "name"),
        Column("starts", gettext_lazy("First day"), lambda term: term.starts_on.isoformat(), "starts_on"),
        Column("ends", gettext_lazy("Last day"), lambda term: term.ends_on.isoformat(), "ends_on"),
    ),
    row="courses/_term_row.html",
    order="-starts",
)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def terms(request: HttpRequest) -> HttpResponseBase:
    """Every term, the newest first; POST makes one."""
    form = TermForm(request.POST or None)
    if form.is_valid():
        try:
            made = save_term(**form.cleaned_data)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is there.") % {"name": made.name})
            return redirect("manage_terms")
    filters = TermFilterForm(request.GET, auto_id="filter_%s")
    return TERMS.answer(
        request,
        find_terms(**filters.cleaned_data) if filters.is_valid() else None,
        template="courses/terms.html",
        form=filters,
        context={"new": form},
        status=400 if form.errors else 200,
    )


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def term(request: HttpRequest, term_id: int) -> HttpResponse:
    """One term; POST changes its name and days."""
    shown = get_term(term_id)
    form = TermChangeForm(request.POST or None, instance=get_term(term_id))
    if form.is_valid():
        try:
            save_term(code=shown.code, **form.cleaned_data)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(name)s is changed.") % {"name": form.cleaned_data["name"]})
            return redirect("manage_terms")
    is_to_come = shown.starts_on > clock.local_day(clock.now())
    context = {"form": form, "term": shown, "is_to_come": is_to_come}
    return render(request, "courses/term.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_POST
def remove(request: HttpRequest, term_id: int) -> HttpResponse:
    """Forget a term that has not begun."""
    remove_term(code=get_term(term_id).code)
    messages.success(request, _("The term is gone."))
    return redirect("manage_terms")
