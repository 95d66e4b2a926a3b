"""The administrators' pages of holds: what is kept for a case, since when, why, and until who ended it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.lists import Column, Listing
from chat import selectors, services
from chat.forms import EndHoldForm, HoldFilterForm, HoldForm
from chat.models import Hold


def _about(hold: Hold) -> str:
    return hold.user.email if hold.user else hold.course.code if hold.course else ""


HOLDS = Listing(
    name="holds",
    columns=(
        Column("case", gettext_lazy("Case"), lambda hold: hold.case, "case"),
        Column("about", gettext_lazy("Person or course"), _about),
        Column("reason", gettext_lazy("Reason"), lambda hold: hold.reason),
        Column("state", gettext_lazy("State"), lambda hold: "in force" if hold.is_in_force else "ended"),
        Column("placed", gettext_lazy("Placed"), lambda hold: localtime(hold.placed_at).isoformat(), "placed_at"),
        Column("by", gettext_lazy("Placed by"), lambda hold: hold.placed_by.email),
        Column(
            "ended", gettext_lazy("Ended"), lambda hold: localtime(hold.ended_at).isoformat() if hold.ended_at else ""
        ),
    ),
    row="chat/_hold_row.html",
    order="-placed",
)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def holds(request: HttpRequest) -> HttpResponseBase:
    """Every hold there is and was."""
    form = HoldFilterForm(request.GET)
    found = selectors.list_holds(**form.cleaned_data) if form.is_valid() else None
    return HOLDS.answer(request, found, template="chat/holds.html", form=form)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_hold(request: HttpRequest) -> HttpResponse:
    """Place a hold; `person` in the address fills in the form."""
    form = HoldForm(request.POST or None, initial={"person": request.GET.get("person", "")[:254]})
    if form.is_valid():
        try:
            placed = services.place_hold(by_id=principal_of(request.user).user_id, **form.arguments())
        except ValidationError as problem:
            form.add_error(None, problem.messages)
        else:
            messages.success(request, _("The hold is in force. Nothing it is about is removed until it is ended."))
            return redirect("manage_hold", placed.pk)
    return render(request, "chat/new_hold.html", {"form": form}, status=400 if form.errors else 200)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def hold(request: HttpRequest, hold_id: int) -> HttpResponse:
    """One hold, and how much it keeps; POST ends it, with a reason."""
    shown = selectors.get_hold(hold_id)
    form = EndHoldForm(request.POST or None)
    if form.is_valid():
        by_id = principal_of(request.user).user_id
        services.end_hold(hold_id=hold_id, reason=form.cleaned_data["reason"], by_id=by_id)
        messages.success(request, _("The hold has ended. What is over goes with the next removal."))
        return redirect("manage_hold", hold_id)
    chats, images = selectors.count_held(shown)
    context = {"hold": shown, "form": form, "chats": chats, "images": images}
    return render(request, "chat/hold.html", context, status=400 if form.errors else 200)
