"""The chat page, and the doors its script knocks at.

A view that only waits for bytes is asynchronous and touches the database in hops; all others are synchronous.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Principal
from chat import answering, attaching, events, pages, selectors, services
from chat.forms import AgainForm, AskForm, TitleForm, cleaned, wants_json
from chat.types import Asked, Place
from core.errors import DomainError, InvalidRequest
from core.threads import hop, leave_database

_PLACE = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?")  # see chat.types.Place

# ---- chat -------------------------------------------------------------------------------------------


@require_safe
@role_required()
def chat(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    """The chat page: a conversation, or an empty one; with `above`, only the messages above that one."""
    principal = principal_of(request.user)
    if conversation_id and (above := _id(request.GET.get("above", ""))):
        conversation = selectors.access_conversation(user_id=principal.user_id, conversation_id=conversation_id)
        return HttpResponse(pages.render_turns(pages.list_turns(conversation, above=above), get_token(request)))
    context = pages.chat_context(
        principal,
        conversation_id=conversation_id,
        is_whole="whole" in request.GET,
        before=_moment(request.GET.get("before", "")),
        deleted_id=_id(request.GET.get("deleted", "")),
    )
    return render(request, "chat/chat.html", context)


@require_safe
@role_required()
def talks(request: HttpRequest) -> HttpResponse:
    """The list of conversations alone."""
    context = pages.talks_context(
        principal_of(request.user),
        current=_id(request.GET.get("current", "")),
        before=_moment(request.GET.get("before", "")),
    )
    return render(request, "chat/_talks.html", context)


@require_POST
async def ask(request: HttpRequest) -> HttpResponse:
    """Take a question: 201 with where to follow the answer; without a script, back to the page."""
    try:
        asked = await hop(_ask, request)
    except DomainError as refusal:
        if wants_json(request):
            raise
        return await hop(_chat_refused, request, refusal)
    answering.start(asked)
    if wants_json(request):
        return JsonResponse(await hop(_asked, request, asked), status=201)
    return HttpResponseRedirect(reverse("conversation", args=[asked.conversation_id]))


@require_POST
async def answer_again(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Answer the same question once more, below."""
    asked = await hop(_ask_again, request, answer_id)
    answering.start(asked)
    if wants_json(request):
        return JsonResponse(await hop(_asked, request, asked), status=201)
    return HttpResponseRedirect(reverse("conversation", args=[asked.conversation_id]))


@require_GET
async def answer_events(request: HttpRequest, answer_id: UUID) -> HttpResponseBase:
    """Follow an answer from where the reader is (`Last-Event-ID`, or `after`); holds no database connection."""
    after = _place(request.headers.get("Last-Event-ID") or request.GET.get("after", ""))
    ending = await hop(_ending, request, answer_id)
    await leave_database()
    return StreamingHttpResponse(
        events.events_of(answer_id, after=after, ending=ending),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@require_POST
async def stop_answer(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Stop an answer, wherever it is written; what it said so far stays, and so does its price."""
    await hop(_request_stop, request, answer_id)
    answering.stop(answer_id)
    return HttpResponse(status=204)


@require_POST
@role_required()
def show_branch(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Show another branch of a conversation: the one that runs through this message."""
    shown = services.show_branch(user_id=principal_of(request.user).user_id, message_id=message_id)
    return redirect(f"{reverse('conversation', args=[shown.pk])}#m-{message_id}")


@require_POST
@role_required()
def pin(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Keep a conversation at the top of the list; with `off`, no more."""
    services.pin_conversation(
        user_id=principal_of(request.user).user_id,
        conversation_id=conversation_id,
        is_pinned="off" not in request.POST,
    )
    return redirect("conversation", conversation_id)


@require_POST
@role_required()
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Give a conversation another title."""
    services.rename_conversation(
        user_id=principal_of(request.user).user_id,
        conversation_id=conversation_id,
        title=cleaned(TitleForm, request)["title"],
    )
    return redirect("conversation", conversation_id)


@require_POST
@role_required()
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Delete a conversation; the page that follows offers to undo it."""
    services.delete_conversation(user_id=principal_of(request.user).user_id, conversation_id=conversation_id)
    return redirect(f"{reverse('chat')}?deleted={conversation_id}")


@require_POST
@role_required()
def restore(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Undo a deletion."""
    services.restore_conversation(user_id=principal_of(request.user).user_id, conversation_id=conversation_id)
    return redirect("conversation", conversation_id)


# ---- what a view asks of the database in one hop ----------------------------------------------------


def _ask(request: HttpRequest) -> Asked:
    principal = principal_of(request.user)
    asked = cleaned(AskForm, request)
    attached = attaching.attach_all(principal, request)  # what a form without a script sends along
    return services.ask(
        principal=principal,
        text=asked["text"],
        model=asked["model"],
        conversation_id=asked["conversation"],
        course_code=asked["course"],
        instead_of=asked["instead_of"],
        is_temporary=asked["temporary"],
        attachment_ids=[*asked["attachments"], *attached],
        is_plain=asked["plain"],
    )


def _ask_again(request: HttpRequest, answer_id: UUID) -> Asked:
    model = cleaned(AgainForm, request)["model"]
    return services.ask_again(principal=principal_of(request.user), answer_id=answer_id, model=model)


def _asked(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """What the page needs to go on: the new messages, and around them what the first question of a chat changes."""
    principal = asked.admission.principal
    context = {
        **pages.chat_context(principal, conversation_id=asked.conversation_id),
        "csrf_token": get_token(request),
    }
    turns = pages.list_turns(context["conversation"], since=asked.question_id or asked.answer_id)
    return {
        "conversation": str(asked.conversation_id),
        "question": str(asked.question_id) if asked.question_id else None,
        "answer": str(asked.answer_id),
        "instead_of": str(asked.instead_of) if asked.instead_of else None,
        "follow": reverse("chat-answer-events", args=[asked.answer_id]),
        "url": reverse("conversation", args=[asked.conversation_id]),
        "left": context["left"],
        "html": pages.render_turns(turns, context["csrf_token"]),
        **{part: render_to_string(f"chat/_{part}.html", context, request) for part in ("heading", "rule", "talks")},
    }


def _chat_refused(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    show = partial(pages.chat_context, principal_of(request.user), draft=request.POST.get("text", ""), refusal=refusal)
    try:
        context = show(conversation_id=_id(request.POST.get("conversation", "")))
    except DomainError:
        context = show()  # whatever conversation that was: what was typed stays
    return render(request, "chat/chat.html", context, status=refusal.status)


def _ending(request: HttpRequest, answer_id: UUID) -> Callable[[], dict[str, Any]]:
    """Check that the answer is the person's, and prepare what its last event will tell, in the person's language."""
    principal = principal_of(request.user)
    selectors.access_answer(user_id=principal.user_id, answer_id=answer_id)
    return partial(_ended, principal, answer_id, get_language() or "en", get_token(request))


def _ended(principal: Principal, answer_id: UUID, language: str, csrf_token: str) -> dict[str, Any]:
    with override(language):
        turn = pages.get_turn(principal, answer_id)
        return {
            "progress": turn.message.progress,
            "prompts": turn.message.prompts,
            "left": pages.find_left(principal),
            "code": turn.message.code,
            "retry_after": turn.message.retry_after,
            "message": turn.failure,
            "html": pages.render_turns([turn], csrf_token),
        }


def _request_stop(request: HttpRequest, answer_id: UUID) -> None:
    services.request_stop(user_id=principal_of(request.user).user_id, answer_id=answer_id)


# ---- addresses with a query -------------------------------------------------------------------------


def _place(value: str) -> Place:
    if not value:
        return Place()
    if not _PLACE.fullmatch(value):
        raise InvalidRequest(_("after must be a number of characters."), param="after")
    return Place(*map(int, value.split("-")))


def _id(value: str) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError as error:
        raise InvalidRequest(_("The address is not complete. Go back and follow the link again.")) from error


def _moment(value: str) -> datetime | None:
    try:
        moment = parse_datetime(value) if value else None
    except ValueError as error:
        raise InvalidRequest(_("The address is not complete. Go back and follow the link again.")) from error
    return moment if moment is None or moment.tzinfo else None
