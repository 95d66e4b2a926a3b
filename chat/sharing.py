"""Sharing a chat inside the institution: a branch as it stands now, read-only, until its owner takes it back."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of, role_required
from chat import pages, selectors, services


@never_cache
@require_safe
@role_required()
def mine(request: HttpRequest) -> HttpResponse:
    """What I share now, with the links."""
    shared = selectors.list_shared_chats(principal_of(request.user).user_id)
    links = [(one, request.build_absolute_uri(reverse("shared-chat", args=[one.pk]))) for one in shared]
    return render(request, "chat/shared_chats.html", {"links": links})


@require_POST
@role_required()
def share(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Share the branch shown."""
    services.share_conversation(user_id=principal_of(request.user).user_id, conversation_id=conversation_id)
    return redirect("shared-chats")


@require_POST
@role_required()
def revoke(request: HttpRequest, shared_id: UUID) -> HttpResponse:
    """Take a shared chat back."""
    services.revoke_shared_chat(user_id=principal_of(request.user).user_id, shared_id=shared_id)
    return redirect("shared-chats")


@never_cache
@require_safe
@role_required()
def shared(request: HttpRequest, shared_id: UUID) -> HttpResponse:
    """What the link leads to: for everyone signed in here."""
    found = selectors.access_shared_chat(shared_id)
    context = {
        "shared": found,
        "conversation": found.leaf.conversation,
        "turns": pages.list_branch(found.leaf),
        "data": {"words": pages.words()},
    }
    return render(request, "chat/shared.html", context)
