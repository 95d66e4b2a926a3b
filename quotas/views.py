"""The statement, the meter, and the administrator's page of rules."""

from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.imports import answer_import
from audit.lists import Column, Listing
from core import clock
from core.errors import InvalidRequest
from core.text import csv_line
from courses.selectors import list_courses_of
from quotas import selectors, services
from quotas.forms import AskForm, QuotaForm, RuleFileForm, RuleFilterForm, StatementForm, WithdrawForm
from quotas.models import Quota
from quotas.payments import TestPayments
from quotas.statement import Line, Statement, read_statement
from quotas.types import Standing, Unit
from quotas.wording import name_subject

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
        "told": selectors.list_warnings(principal_of(request.user).user_id, shown.span),
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
    header = [
        _("Time"), _("Movement"), _("What"), _("Tool"), _("AI model"), _("Course"), _("Reference"), _("Unit"),
        _("Used"), _("Held"), _("Granted"), _("Left"), _("Purse"), _("Rule"), _("Estimated"),
    ]  # fmt: skip
    unit = shown.standing.unit
    lines = [csv_line(header), *(csv_line(_cells(line, unit)) for line in shown.lines)]
    # The byte order mark tells spreadsheets that the text is UTF-8.
    headers = {"Content-Disposition": f'attachment; filename="statement-{shown.month:%Y-%m}.csv"'}
    return HttpResponse("\ufeff" + "".join(lines), content_type="text/csv; charset=utf-8", headers=headers)


@never_cache
@role_required()
@require_GET
def meter(request: HttpRequest) -> HttpResponse:
    """The tally alone, for a page that is open already."""
    return render(request, "quotas/meter_fragment.html")


RULES = Listing(
    name="quotas",
    columns=(
        Column("whom", gettext_lazy("For"), name_subject, "breadth"),
        Column("rule", gettext_lazy("Rule"), lambda rule: rule.name),
        Column("since", gettext_lazy("From"), lambda rule: localtime(rule.starts_at).isoformat(), "starts_at"),
        Column("until", gettext_lazy("Until"), lambda rule: rule.ends_at and localtime(rule.ends_at).isoformat()),
        Column("reason", gettext_lazy("Reason"), lambda rule: rule.reason, "reason"),
        Column("actions", gettext_lazy("Actions"), None),
    ),
    row="quotas/_rule_row.html",
    order="whom",
)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def import_quotas(request: HttpRequest) -> HttpResponse:
    """Show what a file of rules would change; with `confirm`, put them in force."""
    form = RuleFileForm(request.POST or None, request.FILES or None)
    by_id = principal_of(request.user).user_id
    return answer_import(
        request,
        form,
        lambda lines, is_dry: services.import_quotas(
            text=lines, reason=form.cleaned_data["reason"], by_id=by_id, dry_run=is_dry
        ),
        template="quotas/import.html",
        done="manage_quotas",
    )


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def manage_quotas(request: HttpRequest) -> HttpResponseBase:
    """The rules in force, their history, and the form that changes one: first shown, then put in force."""
    form = QuotaForm(request.POST or None, initial=request.GET.dict())
    if form.is_valid() and "confirm" in request.POST:
        rule = services.set_quota(**form.rule(), by_id=principal_of(request.user).user_id)
        if rule.starts_at > clock.now():
            day = date_format(localtime(rule.starts_at), "DATE_FORMAT")
            messages.success(request, _("“%(rule)s” holds from %(day)s.") % {"rule": rule.name, "day": day})
        else:
            messages.success(request, _("“%(rule)s” is in force from the next call on.") % {"rule": rule.name})
        return redirect("manage_quotas")
    filters = RuleFilterForm(request.GET, auto_id="filter_%s")
    found = selectors.list_present_rules(**filters.cleaned_data) if filters.is_valid() else None
    context = {
        "form": form,
        "effect": _effect(form) if form.is_bound and form.is_valid() else None,
        "changes": selectors.list_changes(),
        "now": clock.now(),
    }
    status = 400 if form.errors else 200
    return RULES.answer(request, found, template="quotas/manage.html", form=filters, context=context, status=status)


@role_required(Role.ADMIN)
@require_POST
def undo(request: HttpRequest, quota_id: int) -> HttpResponse:
    """Take back the change that made a rule."""
    services.undo_change(quota_id=quota_id, by_id=principal_of(request.user).user_id)
    messages.success(request, _("Undone. What held before holds again."))
    return redirect("manage_quotas")


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


@never_cache
@role_required()
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for more; what I asked for, and what became of it; what can be bought."""
    principal = principal_of(request.user)
    form = AskForm(request.POST or None, courses=list_courses_of(principal.user_id), initial=request.GET.dict())
    if form.is_valid():
        course = form.course_chosen
        try:
            services.ask(
                principal=principal,
                unit=form.unit_chosen,
                amount=form.cleaned_data["amount"],
                reason=form.cleaned_data["reason"],
                course_id=course.pk if course else None,
            )
        except InvalidRequest as problem:
            form.add_error(problem.param if problem.param in form.fields else None, str(problem.message))
        else:
            messages.success(request, _("Sent. You will be told by mail what is decided."))
            return redirect("ask")
    context = {
        "form": form,
        "mine": selectors.list_own_requests(principal.user_id)[:50],
        "offers": selectors.list_offers() if settings.PAYMENT_SERVICE and settings.PAYMENT_SECRET else (),
        "bought": selectors.list_purchases(principal.user_id)[:50],
    }
    return render(request, "quotas/ask.html", context, status=400 if form.errors else 200)


@role_required()
@require_POST
def withdraw_request(request: HttpRequest, request_id: int) -> HttpResponse:
    """Take back what I asked for."""
    services.withdraw_request(principal=principal_of(request.user), request_id=request_id)
    messages.success(request, _("Your request is withdrawn."))
    return redirect("ask")


@role_required()
@require_POST
def buy(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Begin to buy: on to where it is paid."""
    return redirect(services.open_purchase(principal=principal_of(request.user), offer_id=offer_id))


@csrf_exempt  # a payment service has no session; the signature is what is believed
@require_POST
def payment_notification(request: HttpRequest) -> HttpResponse:
    """A payment service says that somebody paid."""
    services.book_payment(body=request.body, headers=request.headers)
    return HttpResponse(status=204)


@never_cache
@role_required()
@require_http_methods(["GET", "POST"])
def test_payment(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Where the test service is paid with a press of a button; it notifies as a real one does."""
    purchase = selectors.get_open_test_purchase(principal_of(request.user), reference)
    if request.method == "POST":
        body, headers = TestPayments().notification(
            reference=purchase.reference, price_micro=purchase.price_micro, currency=purchase.currency
        )
        services.book_payment(body=body, headers=headers)
        messages.success(request, _("Paid. The units are yours and never lapse."))
        return redirect("ask")
    return render(request, "quotas/test_payment.html", {"purchase": purchase})


def _read(request: HttpRequest) -> Statement:
    form = StatementForm(request.GET)
    if not form.is_valid():
        raise InvalidRequest(_("A statement is asked for by its month, such as ?month=2026-11."), param="month")
    return read_statement(principal_of(request.user), month=form.cleaned_data["month"], kind=form.kind)


def _cells(line: Line, unit: Unit) -> tuple[object, ...]:
    """A line for programs: money in micro-units, as everywhere in the ledger."""
    at = localtime(line.at).isoformat(timespec="seconds")
    counted = unit if unit != Unit.MONEY else f"{settings.CURRENCY}/1000000"
    call = (line.tool, line.model, line.course, line.reference)
    moved = (line.used, line.held, line.granted, line.left)
    return (
        at,
        line.kind,
        line.what,
        *call,
        counted,
        *moved,
        line.purse,
        line.rule,
        _("yes") if line.is_estimated else "",
    )


def _address(month: date, standing: Standing) -> str:
    asked = {"month": f"{month:%Y-%m}", "unit": standing.unit, "period": standing.period, "scope": standing.scope}
    return "?" + urlencode(asked)


def _effect(form: QuotaForm) -> dict[str, Any]:
    """What the rule would change, shown before it is put in force."""
    rule = form.rule()
    kind = (rule["unit"], rule["period"], rule["scope"])
    who = {name: rule[name] for name in ("role", "department_id", "course_id", "user_id")}
    reached, elsewhere = selectors.count_reached(kind=kind, **who)
    return {
        "rule": Quota(**{name: rule[name] for name in ("limit", "unit", "period", "scope")}),
        "present": selectors.find_rule(kind=kind, **who),
        "starts_at": rule["starts_at"],
        "query": urlencode({name: form.data[name] for name in form.fields if form.data.get(name)}),
        "reached": reached,
        "elsewhere": elsewhere,
    }
