"""The statement, the meter, and the administrator's page of rules."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from core.errors import InvalidRequest
from core.text import csv_line
from quotas import selectors, services
from quotas.forms import QuotaForm, StatementForm, WithdrawForm
from quotas.models import Quota
from quotas.statement import Line, Statement, read_statement
from quotas.types import Standing

gettext_noop("Hong Kong")  # the default zone's city, for translators; another zone shows its English name


@never_cache
@role_required()
@require_GET
def statement(request: HttpRequest) -> HttpResponse:
    """My use of a month, like a bank's statement."""
    shown = _read(request)
    standings = selectors.list_standings(principal_of(request.user))
    context = {
        "statement": shown,
        "standing": shown.standing,
        "zone": _(settings.TIME_ZONE.rpartition("/")[2].replace("_", " ")),
        "this": _address(shown.month, shown.standing),
        "previous": _address(shown.previous_month, shown.standing),
        "next": shown.next_month and _address(shown.next_month, shown.standing),
        "quotas": [(standing, _address(shown.month, standing)) for standing in standings],
    }
    return render(request, "quotas/statement.html", context)


@never_cache
@role_required()
@require_GET
def statement_csv(request: HttpRequest) -> HttpResponse:
    """The lines of the statement that is shown, newest first."""
    shown = _read(request)
    header = (_("Time"), _("What"), _("Course"), _("Reference"), _("Used"), _("Held"), _("Granted"), _("Left"))
    lines = [csv_line(header), *(csv_line(_cells(line)) for line in shown.lines)]
    # The byte order mark tells spreadsheets that the text is UTF-8.
    headers = {"Content-Disposition": f'attachment; filename="statement-{shown.month:%Y-%m}.csv"'}
    return HttpResponse("\ufeff" + "".join(lines), content_type="text/csv; charset=utf-8", headers=headers)


@never_cache
@role_required()
@require_GET
def meter(request: HttpRequest) -> HttpResponse:
    """The tally alone, for a page that is open already."""
    return render(request, "quotas/meter_fragment.html")


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def manage_quotas(request: HttpRequest) -> HttpResponse:
    """The rules in force, their history, and the form that changes one: first shown, then put in force."""
    form = QuotaForm(request.POST or None, initial=request.GET.dict())
    if form.is_valid() and "confirm" in request.POST:
        rule = services.set_quota(**form.rule(), by_id=principal_of(request.user).user_id)
        messages.success(request, _("“%(rule)s” is in force from the next call on.") % {"rule": rule.name})
        return redirect("manage_quotas")
    search = request.GET.get("person", "")
    context = {
        "form": form,
        "effect": _effect(form) if form.is_bound and form.is_valid() else None,
        "general": selectors.list_general_rules(),
        "personal": Paginator(selectors.list_personal_rules(search), 50).get_page(request.GET.get("page")),
        "search": search,
        "changes": selectors.list_changes(),
    }
    return render(request, "quotas/manage.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_POST
def withdraw(request: HttpRequest, quota_id: int) -> HttpResponse:
    """End a rule; the next less specific one holds."""
    form = WithdrawForm(request.POST)
    if not form.is_valid():
        raise InvalidRequest(
            _("Write the reason. It is kept with the change and shown in its history."), param="reason"
        )
    by_id = principal_of(request.user).user_id
    rule = services.withdraw_quota(quota_id=quota_id, by_id=by_id, reason=form.cleaned_data["reason"])
    messages.success(request, _("“%(rule)s” is withdrawn.") % {"rule": rule.name})
    return redirect("manage_quotas")


def _read(request: HttpRequest) -> Statement:
    form = StatementForm(request.GET)
    if not form.is_valid():
        raise InvalidRequest(_("A statement is asked for by its month, such as ?month=2026-11."), param="month")
    return read_statement(principal_of(request.user), month=form.cleaned_data["month"], kind=form.kind)


def _cells(line: Line) -> tuple[object, ...]:
    at = localtime(line.at).isoformat(timespec="seconds")
    return at, line.what, line.course, line.reference, line.used, line.held, line.granted, line.left


def _address(month: date, standing: Standing) -> str:
    asked = {"month": f"{month:%Y-%m}", "unit": standing.unit, "period": standing.period, "scope": standing.scope}
    return "?" + urlencode(asked)


def _effect(form: QuotaForm) -> dict[str, Any]:
    """What the rule would change, shown before it is put in force."""
    rule = form.rule()
    kind = (rule["unit"], rule["period"], rule["scope"])
    who = {name: rule[name] for name in ("role", "department_id", "user_id")}
    reached, elsewhere = selectors.count_reached(kind=kind, **who)
    return {
        "rule": Quota(**{name: rule[name] for name in ("limit", "unit", "period", "scope")}),
        "present": selectors.find_rule(kind=kind, **who),
        "reached": reached,
        "elsewhere": elsewhere,
    }
