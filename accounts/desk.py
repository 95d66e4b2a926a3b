"""The administrators' pages of people: find somebody, change their place, keep them out, let them in."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import selectors, services
from accounts.authentication import role_required
from accounts.forms import PeopleFileForm, PeopleFilterForm, PersonForm, ReasonForm
from accounts.models import User
from accounts.types import PersonChanges, Role, columns_of
from audit.imports import answer_import
from audit.lists import Column, Listing
from core import clock
from core.errors import InvalidRequest, Refusal
from core.text import read_id

PEOPLE = Listing(
    name="people",
    columns=(
        Column("name", gettext_lazy("Name"), lambda person: person.name, "name"),
        Column("email", gettext_lazy("E-mail"), lambda person: person.email, "email"),
        Column("role", gettext_lazy("Role"), lambda person: person.role, "role"),
        Column("department", gettext_lazy("Department"), lambda person: person.department and person.department.code),
        Column(
            "state", gettext_lazy("State"), lambda person: "active" if person.is_active else "suspended", "is_active"
        ),
        Column(
            "created", gettext_lazy("Created"), lambda person: localtime(person.created_at).isoformat(), "created_at"
        ),
    ),
    row="accounts/_person_row.html",
    order="name",
)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def people(request: HttpRequest) -> HttpResponseBase:
    """Everyone, searched and filtered as the address says."""
    form = PeopleFilterForm(request.GET)
    found = selectors.list_people(**form.cleaned_data) if form.is_valid() else None
    return PEOPLE.answer(request, found, template="accounts/people.html", form=form)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def people_import(request: HttpRequest) -> HttpResponse:
    """Show what a file of people would change; with `confirm`, change it."""
    return answer_import(
        request,
        PeopleFileForm(request.POST or None, request.FILES or None),
        lambda lines, is_dry: services.import_people(text=lines, dry_run=is_dry),
        template="accounts/people_import.html",
        done="manage_people",
    )


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, user_id: int) -> HttpResponse:
    """One person; POST changes name, role and department from the next request on."""
    shown = selectors.get_person_by_id(user_id)
    # Of its own, so that the heading keeps what is saved while the form holds what is not.
    form = PersonForm(request.POST or None, instance=selectors.get_person_by_id(user_id))
    if form.is_valid():
        try:
            saved = services.update_person(user_id=user_id, **_changes(form))
        except (ValidationError, Refusal) as problem:
            form.add_error(None, problem if isinstance(problem, ValidationError) else str(problem.message))
        else:
            messages.success(request, _("%(name)s is changed.") % {"name": saved.name})
            return redirect("manage_person", user_id)
    return _shown(request, shown, form=form)


@role_required(Role.ADMIN)
@require_POST
def suspend(request: HttpRequest, user_id: int) -> HttpResponse:
    """Keep a person out, with a reason."""
    shown = selectors.get_person_by_id(user_id)
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            services.suspend_person(user_id=user_id, reason=form.cleaned_data["reason"])
        except Refusal as refusal:
            form.add_error(None, str(refusal.message))
        else:
            messages.success(request, _("%(name)s is suspended.") % {"name": shown.name})
            return redirect("manage_person", user_id)
    return _shown(request, shown, reason_form=form)


@role_required(Role.ADMIN)
@require_POST
def restore(request: HttpRequest, user_id: int) -> HttpResponse:
    """Let a suspended person in again."""
    shown = services.restore_person(user_id=user_id)
    messages.success(request, _("%(name)s may sign in again.") % {"name": shown.name})
    return redirect("manage_person", user_id)


@role_required(Role.ADMIN)
@require_POST
def sign_out(request: HttpRequest, user_id: int) -> HttpResponse:
    """End every session of a person."""
    ended = services.end_sessions(user_id=selectors.get_person_by_id(user_id).pk)
    done = ngettext("%(number)s session is ended.", "%(number)s sessions are ended.", ended)
    messages.success(request, done % {"number": ended})
    return redirect("manage_person", user_id)


@role_required(Role.ADMIN)
@require_POST
def revoke_keys(request: HttpRequest, user_id: int) -> HttpResponse:
    """End one key of a person, or all of them."""
    key_id = request.POST.get("key", "")
    if key_id == "all":
        services.revoke_api_keys(user_id=selectors.get_person_by_id(user_id).pk)
    elif (named := read_id(key_id)) is not None:
        services.revoke_api_key(user_id=user_id, key_id=named)
    else:
        raise InvalidRequest(_("Say which key to revoke, or all."), param="key")
    messages.success(request, _("No program can use it any more."))
    return redirect("manage_person", user_id)


def _changes(form: PersonForm) -> PersonChanges:
    fields = columns_of(form.cleaned_data)
    return {"name": fields["name"], "role": Role(fields["role"]), "department_id": fields["department_id"]}


def _shown(
    request: HttpRequest, shown: User, *, form: PersonForm | None = None, reason_form: ReasonForm | None = None
) -> HttpResponse:
    keys = selectors.list_api_keys(shown.pk)
    context = {
        "person": shown,
        "form": form or PersonForm(instance=shown),
        "reason_form": reason_form or ReasonForm(),
        "keys": keys,
        "may_revoke": any(key.revoked_at is None for key in keys),
        "sessions": selectors.count_sessions(shown.pk),
        "now": clock.now(),
    }
    failed = any(f is not None and f.errors for f in (form, reason_form))
    return render(request, "accounts/person.html", context, status=400 if failed else 200)
