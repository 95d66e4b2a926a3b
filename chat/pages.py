"""What the chat and image pages show: the contexts of their templates, put together from the rooms below."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.types import Principal
from chat import selectors
from chat.errors import explain
from chat.models import Conversation, ImageJob, Message
from chat.services import LONGEST_IMAGE_PROMPT, LONGEST_PROMPT, MOST_IMAGES
from chat.types import Author, ImageSize, Progress
from core import clock
from core.errors import DomainError
from core.types import Operation
from courses.selectors import list_courses_of
from gateway.models import Model
from gateway.selectors import list_models_for
from quotas.selectors import list_standings
from quotas.types import Unit

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the page shows it."""

    message: Message
    label: str
    weight: int
    failure: str

    @property
    def is_running(self) -> bool:
        return self.message.progress == Progress.RUNNING

    @property
    def may_retry(self) -> bool:
        return self.message.author == Author.MODEL and self.message.progress in (Progress.FAILED, Progress.STOPPED)

    @property
    def length(self) -> int:
        """How many characters of a growing answer the page has: where the events go on."""
        return len(self.message.text)


@dataclass(frozen=True, slots=True)
class Notice:
    """A refusal in words: what happened, what it did not cost, and the way on."""

    title: str
    text: str = ""
    action: str = ""
    href: str = ""


def list_turns(conversation_id: UUID, *, since: UUID | None = None) -> list[Turn]:
    """The messages of a conversation as shown: all of them, or from one on."""
    return _turns(selectors.list_messages(conversation_id, since=since))


def get_turn(principal: Principal, answer_id: UUID) -> Turn:
    """One answer of the person, as shown.

    Raises:
        NotFound: it is not the person's.
    """
    return _turns([selectors.access_answer(user_id=principal.user_id, answer_id=answer_id)])[0]


def render_turns(turns: Sequence[Turn]) -> str:
    """The markup of messages, as in the page."""
    return "".join(render_to_string("chat/_message.html", {"turn": turn}) for turn in turns)


def find_left(principal: Principal) -> int | None:
    """How many prompts the person has left under the quota that ends first; None when unmetered."""
    return next((standing.left for standing in list_standings(principal) if standing.unit == Unit.PROMPTS), None)


def chat_context(
    principal: Principal,
    *,
    conversation_id: UUID | None = None,
    before: datetime | None = None,
    deleted_id: UUID | None = None,
    draft: str = "",
    refusal: DomainError | None = None,
) -> JsonObject:
    """The chat page, with an open conversation or an empty one.

    Raises:
        NotFound: the conversation is not the person's.
    """
    conversation = _find_conversation(principal, conversation_id)
    return {
        **composer_context(principal, conversation),
        **talks_context(principal, current=conversation_id, before=before),
        "turns": list_turns(conversation.pk) if conversation else [],
        "deleted": _find_deleted(principal, deleted_id),
        "draft": draft,
        "notice": _notice_of(refusal) if refusal else None,
        "longest": LONGEST_PROMPT,
        "data": {
            "user": principal.user_id,
            "conversation": str(conversation.pk) if conversation else None,
            "ask": reverse("chat-ask"),
            "talks": reverse("chat-list"),
            "notices": _notices(),
            "words": _words(),
        },
    }


def composer_context(principal: Principal, conversation: Conversation | None) -> JsonObject:
    """What stands around the text box: the models, the course, the price."""
    models = list_models_for(principal, Operation.CHAT)
    return {
        "conversation": conversation,
        "models": models,
        "chosen": _chosen(models, conversation.model if conversation else ""),
        "courses": [] if conversation else list_courses_of(principal.user_id),
        "left": find_left(principal),
    }


def talks_context(principal: Principal, *, current: UUID | None, before: datetime | None = None) -> JsonObject:
    """The list of conversations in the side navigation."""
    talks = selectors.list_conversations(principal.user_id, before=before)
    is_full = len(talks) == selectors.CONVERSATIONS_AT_ONCE
    return {
        "groups": selectors.group_by_day(talks),
        "current_id": current,
        "earlier": talks[-1].updated_at if is_full else None,
        "is_continued": before is not None,
    }


def images_context(
    principal: Principal,
    *,
    before: UUID | None = None,
    draft: str = "",
    refusal: DomainError | None = None,
) -> JsonObject:
    """The image page with its gallery."""
    models = list_models_for(principal, Operation.IMAGE)
    return {
        **gallery_context(principal, before=before),
        "models": models,
        "chosen": _chosen(models, ""),
        "courses": list_courses_of(principal.user_id),
        "sizes": ImageSize.choices,
        "counts": range(1, MOST_IMAGES + 1),
        "left": find_left(principal),
        "draft": draft,
        "notice": _notice_of(refusal) if refusal else None,
        "longest": LONGEST_IMAGE_PROMPT,
        "data": {"user": principal.user_id, "notices": _notices(), "words": _words()},
    }


def gallery_context(principal: Principal, *, before: UUID | None = None) -> JsonObject:
    """The tiles of the gallery, newest first."""
    jobs = selectors.list_image_jobs(principal.user_id, before=before)
    is_full = len(jobs) == selectors.IMAGE_JOBS_AT_ONCE
    return {"tiles": [tile_context(job) for job in jobs], "earlier": jobs[-1].pk if is_full else None}


def tile_context(job: ImageJob) -> JsonObject:
    """One image job: its pictures, its place while they are drawn, or why there are none."""
    return {
        "job": job,
        "seconds": int((clock.now() - job.created_at).total_seconds()),
        "is_open": job.progress in (Progress.WAITING, Progress.RUNNING),
        "failure": explain(job.code) if job.progress == Progress.FAILED else "",
    }


def _turns(messages: Sequence[Message]) -> list[Turn]:
    models = Model.objects.in_bulk({message.model for message in messages}, field_name="name")
    return [_turn(message, models.get(message.model)) for message in messages]


def _turn(message: Message, model: Model | None) -> Turn:
    by_person = message.author == Author.PERSON
    return Turn(
        message=message,
        label=str(Author.PERSON.label) if by_person else model.label if model else message.model,
        weight=model.prompt_weight if model else 1,
        failure=explain(message.code) if message.progress == Progress.FAILED else "",
    )


def _find_conversation(principal: Principal, conversation_id: UUID | None) -> Conversation | None:
    if conversation_id is None:
        return None
    return selectors.access_conversation(user_id=principal.user_id, conversation_id=conversation_id)


def _find_deleted(principal: Principal, deleted_id: UUID | None) -> Conversation | None:
    return selectors.find_deleted_conversation(user_id=principal.user_id, conversation_id=deleted_id)


def _chosen(models: Sequence[Model], name: str) -> Model | None:
    return next((model for model in models if model.name == name), models[0] if models else None)


def _notice_of(refusal: DomainError) -> Notice:
    known = _notices().get(refusal.code, _notices()[""])
    return Notice(title=known["title"], text=str(refusal.message), action=known["action"], href=known["href"])


def _notices() -> dict[str, JsonObject]:
    """Title and way on for each refusal a person may meet here; "" is for all others. `returns`: and back again."""
    return {
        "": {"title": _("This was not sent"), "action": "", "href": ""},
        "insufficient_quota": {
            "title": _("Your prompts are used up"),
            "action": _("See my use"),
            "href": reverse("statement"),
        },
        "acknowledgment_required": {
            "title": _("Please accept the clauses first"),
            "action": _("Read the clauses"),
            "href": reverse("clauses"),
            "returns": True,
        },
        "rate_limit_exceeded": {"title": _("Too many at once"), "action": "", "href": ""},
        "sign_in_required": {
            "title": _("You are signed out"),
            "action": _("Sign in again"),
            "href": reverse("account_login"),
            "returns": True,
        },
    }


def _words() -> dict[str, str]:
    """The few words scripts say by themselves, so that translation has one home."""
    return {
        "kept": _("It is saved below."),
        "offline": _("The server cannot be reached. Check your network; nothing was charged."),
        "broken": _("The server answered something unexpected. Reload the page; your text is saved."),
        "waiting": _("Connection lost. Waiting for the answer to go on."),
        "answering": _("Answering. Press Escape to stop."),
        "stopped": _("Stopped."),
        "ready": _("The answer is ready."),
        "failed": _("The answer failed."),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "wrap": _("Wrap"),
        "code": _("Code"),
        "table": _("Table"),
        "picture": _("picture, not loaded"),
        "drawn": _("The images are ready."),
        "undrawn": _("The images were not made."),
    }
