"""What people think of answers: their own opinion beneath each, and the sums for administrators."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.services import record
from chat import pages, selectors, services
from chat.forms import OpinionForm, cleaned, wants_json
from chat.types import Complaint, Judged
from core.text import csv_line


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
def opinions(request: HttpRequest) -> HttpResponse:
    """What people think of each AI model's answers; with `format=csv`, as a file. No words of anybody."""
    judged = selectors.list_judged(least=settings.SMALLEST_GROUP)
    if request.GET.get("format") == "csv":
        record("opinions.export", subject="opinions")
        return _file(judged)
    context = {"judged": judged, "complaints": Complaint.labels, "least": settings.SMALLEST_GROUP}
    return render(request, "chat/opinions.html", context)


def _said(given: dict[str, Any]) -> str:
    """What a screen reader is told."""
    if given["verdict"] == "good":
        return _("Noted: a good answer.")
    if not given["verdict"]:
        return _("Taken back.")
    if given["reason"] or given["note"]:
        return _("Noted. Thank you.")
    return _("Noted: not good. You can say why below.")


def _file(judged: list[Judged]) -> HttpResponse:
    """The table exactly as it is shown: of a model that few people judged, its name alone."""
    few = _("fewer than %(least)s people") % {"least": settings.SMALLEST_GROUP}
    head: list[object] = [
        _("AI model"),
        _("Judged"),
        _("Good in percent"),
        _("Good"),
        _("Not good"),
        *map(str, Complaint.labels),
    ]
    lines: list[list[object]] = [
        [each.label, each.total, each.share, each.good, each.bad, *each.reasons]
        if each.total
        else [each.label, *([few] * (len(head) - 1))]
        for each in judged
    ]
    return HttpResponse(
        "\ufeff" + "".join(csv_line(line) for line in [head, *lines]),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="opinions.csv"'},
    )
