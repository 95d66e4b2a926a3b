"""The page of my instructions, and their switch in a chat."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from chat import selectors, services
from chat.forms import InstructionsForm


@never_cache
@require_http_methods(["GET", "POST"])
@role_required()
def mine(request: HttpRequest) -> HttpResponse:
    """My instructions, to read and to change."""
    user_id = principal_of(request.user).user_id
    kept = selectors.find_instructions(user_id)
    form = InstructionsForm(
        request.POST or None, initial={"text": kept.text if kept else "", "is_on": kept.is_on if kept else True}
    )
    if form.is_valid():
        services.keep_instructions(user_id=user_id, **form.cleaned_data)
        messages.success(request, _("Kept. They go with your next question."))
        return redirect("instructions")
    return render(request, "chat/instructions.html", {"form": form}, status=400 if form.errors else 200)


@require_POST
@role_required()
def switch(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Have a chat go with my instructions; with `off`, without."""
    services.switch_instructions(
        user_id=principal_of(request.user).user_id,
        conversation_id=conversation_id,
        is_on="off" not in request.POST,
    )
    return redirect("conversation", conversation_id)
