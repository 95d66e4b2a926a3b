"""Taking a conversation, or all of them, away as a document."""

import json
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename
from django.utils.timezone import localtime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.authentication import principal_of, role_required
from chat import pages, selectors
from chat.contents import given_of
from chat.models import Conversation, Opinion
from chat.transcripts import File, Line, Transcript, as_data, to_html, to_json, to_markdown
from chat.types import Author, Progress, Shelf
from core import clock
from core.errors import NotFound
from core.threads import hop

FORMS = {
    "md": (to_markdown, "text/markdown; charset=utf-8"),
    "json": (to_json, "application/json"),
    "doc": (to_html, "application/msword"),
}


@never_cache
@require_safe
@role_required()
def export(request: HttpRequest, conversation_id: UUID, form: str) -> HttpResponse:
    """The branch shown of one conversation, as `md`, `json` or `doc` (HTML that word processors read)."""
    if form not in FORMS:
        raise NotFound
    user_id = principal_of(request.user).user_id
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    write, kind = FORMS[form]
    response = HttpResponse(write(_transcript(conversation)), content_type=kind)
    name = get_valid_filename(conversation.title[:60].strip(" .") or "chat")
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{form}") or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@never_cache
@require_safe
@role_required()
def export_all(request: HttpRequest) -> HttpResponseBase:
    """Every conversation of mine as one JSON document, one after the other in constant memory."""
    user_id = principal_of(request.user).user_id
    response = StreamingHttpResponse(_all(user_id), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="chats.json"'
    return response


async def _all(user_id: int) -> AsyncIterator[str]:
    yield await hop(_opening, user_id)
    mark = ""
    for conversation_id in await hop(selectors.list_conversation_ids, user_id):
        told = await hop(_told, user_id, conversation_id)
        if told:
            yield mark + told
            mark = ",\n"
    yield "\n]}\n"


def _opening(user_id: int) -> str:
    """The beginning of the document: what is the person's and belongs to no conversation."""
    kept = selectors.find_instructions(user_id)
    instructions = {"text": kept.text, "in_use": kept.is_on} if kept else None
    prompts = [
        {"title": prompt.title, "command": prompt.command, "text": prompt.text}
        for prompt in selectors.list_prompts(Shelf(owner_id=user_id))
    ]
    own = json.dumps({"instructions": instructions, "prompts": prompts}, ensure_ascii=False)
    return f'{own[:-1]},\n"conversations": [\n'


def _told(user_id: int, conversation_id: UUID) -> str:
    try:
        conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    except NotFound:  # deleted since the list was read
        return ""
    place = {
        "folder": conversation.folder,
        "pinned": conversation.is_pinned,
        "archived": conversation.archived_at is not None,
        "temporary": conversation.is_temporary,
        "without_instructions": conversation.is_plain,
    }
    return json.dumps({**as_data(_transcript(conversation)), **place}, ensure_ascii=False)


def _transcript(conversation: Conversation) -> Transcript:
    person = conversation.user.name
    turns = pages.list_turns(conversation)
    return Transcript(
        title=conversation.title,
        person=person,
        tag=conversation.tag,
        site=f"{settings.SITE_NAME}, {settings.UNIVERSITY_NAME}",
        began_at=localtime(conversation.created_at),
        exported_at=localtime(clock.now()),
        lines=[
            Line(
                author=person if turn.message.author == Author.PERSON else turn.label,
                is_model=turn.message.author == Author.MODEL,
                model=turn.message.model,
                text=turn.message.text,
                thought=turn.message.thought,
                sources=turn.sources,
                opinion=_opinion(turn.opinion),
                at=localtime(turn.message.created_at),
                progress="" if turn.message.progress == Progress.COMPLETE else turn.message.get_progress_display(),
                files=[
                    File(file.name, file.kind, file.size, file.digest, partial(given_of, file))
                    for file in turn.message.attachments.all()
                ],
            )
            for turn in turns
        ],
    )


def _opinion(opinion: Opinion | None) -> dict[str, object] | None:
    if opinion is None:
        return None
    said = {"reason": opinion.reason, "note": opinion.note}
    return {"good": opinion.is_good, "at": localtime(opinion.given_at).isoformat()} | {
        name: text for name, text in said.items() if text
    }
