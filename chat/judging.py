"""What people think of answers: their own opinion beneath each, and the sums for administrators."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.lists import Column, Listing
from chat import pages, selectors, services
from chat.forms import OpinionFilterForm, OpinionForm, cleaned, wants_json
from chat.types import Complaint, Judged


def _number(name: str) -> Callable[[Judged], object]:
    """The cell of one of the numbers: it, or why it is not told."""
    few = gettext_lazy("fewer than %(least)s people")
    return lambda judged: getattr(judged, name) if judged.total else few % {"least": settings.SMALLEST_GROUP}


OPINIONS = Listing(
    name="opinions",
    columns=(
        Column("model", gettext_lazy("AI model"), lambda judged: judged.label, "label"),
        *(
            Column(name, title, _number(name), name, is_number=True)
            for name, title in (
                ("total", gettext_lazy("Judged")),
                ("share", gettext_lazy("Good in percent")),
                ("good", gettext_lazy("Good")),
                ("bad", gettext_lazy("Not good")),
                *Complaint.choices,
            )
        ),
    ),
    row="chat/_judged_row.html",
    order="-total",
)


@never_cache
@require_http_methods(["GET", "POST"])
@role_required()
def opinion(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """What the person thinks of one of her answers, as it stands beneath it; POST changes it or takes it back."""
    principal = principal_of(request.user)
    if request.method == "GET":
        return render(request, "chat/_opinion.html", {"turn": pages.get_turn(principal, answer_id)})
    given = cleaned(OpinionForm, request)
    if given["verdict"]:
        services.judge_answer(
            user_id=principal.user_id,
            answer_id=answer_id,
            is_good=given["verdict"] == "good",
            reason=given["reason"],
            note=given["note"],
        )
    else:
        services.withdraw_opinion(user_id=principal.user_id, answer_id=answer_id)
    turn = pages.get_turn(principal, answer_id)
    if not wants_json(request):
        return redirect(f"{reverse('conversation', args=[turn.message.conversation_id])}#m-{answer_id}")
    # Who has just pressed "not good" is asked why; who comes back later opens the question herself.
    context = {"turn": turn, "is_asked": given["verdict"] == "bad" and not (given["reason"] or given["note"])}
    return JsonResponse({"html": render_to_string("chat/_opinion.html", context, request), "said": _said(given)})


@never_cache
@require_safe
@role_required(Role.ADMIN)
def opinions(request: HttpRequest) -> HttpResponseBase:
    """What people think of each AI model's answers. No words of anybody."""
    form = OpinionFilterForm(request.GET)
    least = settings.SMALLEST_GROUP
    found = selectors.list_judged(least=least, **form.cleaned_data) if form.is_valid() else None
    return OPINIONS.answer(request, found, template="chat/opinions.html", form=form, context={"least": least})


def _said(given: dict[str, Any]) -> str:
    """What a screen reader is told."""
    if given["verdict"] == "good":
        return _("Noted: a good answer.")
    if not given["verdict"]:
        return _("Taken back.")
    if given["reason"] or given["note"]:
        return _("Noted. Thank you.")
    return _("Noted: not good. You can say why below.")
