"""The administrators' pages of alarms. They stand here, above usage, because budgets name providers."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.lists import Column, Listing
from core.errors import InvalidRequest
from core.text import read_id
from gateway.forms import AlarmFilterForm, BudgetForm
from usage import selectors, services
from usage.models import Alarm


def _words(alarm: Alarm) -> str:
    return render_to_string("usage/_alarm_words.txt", {"alarm": alarm}).strip()


ALARMS = Listing(
    name="alarms",
    columns=(
        Column("at", gettext_lazy("Time"), lambda alarm: localtime(alarm.at).isoformat(), "at"),
        Column("kind", gettext_lazy("Kind"), lambda alarm: alarm.kind, "kind"),
        Column("what", gettext_lazy("What happened"), _words),
        Column("state", gettext_lazy("State"), lambda alarm: "seen" if alarm.seen_at else "new"),
        Column("act", gettext_lazy("What to do"), None),
    ),
    row="gateway/_alarm_row.html",
    order="-at",
)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def alarms(request: HttpRequest) -> HttpResponseBase:
    """What administrators should know, the newest first."""
    form = AlarmFilterForm(request.GET)
    found = selectors.list_alarms(**form.cleaned_data) if form.is_valid() else None
    return ALARMS.answer(request, found, template="gateway/alarms.html", form=form)


@role_required(Role.ADMIN)
@require_POST
def seen(request: HttpRequest) -> HttpResponse:
    """Somebody has seen one alarm, or all of them."""
    alarm, by_id = request.POST.get("alarm", ""), principal_of(request.user).user_id
    if alarm == "all":
        services.mark_seen(by_id=by_id)
    elif (named := read_id(alarm)) is not None:
        services.mark_seen(by_id=by_id, alarm_ids=[named])
    else:
        raise InvalidRequest(_("Something is missing. Reload the page."), param="alarm")
    return redirect("manage_alarms")


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    """What is told and when; POST sets a budget."""
    form = BudgetForm(request.POST or None)
    if form.is_valid():
        services.set_budget(provider=form.cleaned_data["provider"], amount_micro=form.cleaned_data["amount"])
        messages.success(request, _("The budget is kept."))
        return redirect("alarm_rules")
    context = {
        "form": form,
        "budgets": selectors.list_budgets(),
        "is_mailed": selectors.wants_mail(principal_of(request.user).user_id),
        "odd_calls": services.ODD_CALLS,
        "odd_times": services.ODD_TIMES,
        "refusals": services.REFUSALS,
        "away": settings.UPSTREAM_AWAY_SECONDS // 60,
    }
    return render(request, "gateway/alarm_rules.html", context, status=400 if form.errors else 200)


@role_required(Role.ADMIN)
@require_POST
def wish(request: HttpRequest) -> HttpResponse:
    """Have alarms by mail too, or no more."""
    user_id = principal_of(request.user).user_id
    services.wish_mail(user_id=user_id, is_wanted=bool(request.POST.get("wanted")))
    return redirect("alarm_rules")
