"""What the chat and image pages show: the contexts of their templates, put together from the rooms below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.types import Principal
from chat import selectors
from chat.errors import explain
from chat.models import Attachment, Conversation, ImageJob, Message, Opinion, Picture
from chat.services import LONGEST_DESCRIPTION, LONGEST_IMAGE_PROMPT, LONGEST_PROMPT, MOST_IMAGES
from chat.types import Author, Branch, Complaint, ImageQuality, ImageSize, NamedPage, Place, Progress
from core import clock
from core.errors import DomainError
from core.text import join_sentences
from core.types import Operation
from courses.selectors import CourseChoice, find_choice, list_choices
from courses.types import Tag
from gateway.models import Model, Route
from gateway.selectors import list_models_for
from gateway.types import Capability
from quotas.selectors import list_standings
from quotas.types import Unit

JsonObject = dict[str, Any]
SHOWN_AT_ONCE = 12  # messages of a long conversation; the others follow when these can be read


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the page shows it."""

    message: Message
    label: str
    weight: int
    failure: str
    branch: Branch | None = None

    @property
    def is_running(self) -> bool:
        return self.message.progress == Progress.RUNNING

    @property
    def may_retry(self) -> bool:
        """Whether trying again is the way on, rather than a choice."""
        return self.message.author == Author.MODEL and self.message.progress in (Progress.FAILED, Progress.STOPPED)

    @property
    def sources(self) -> list[NamedPage]:
        """The pages the model named, for a list with numbers."""
        return [name_page(source["url"], source["title"]) for source in self.message.sources]

    @property
    def may_be_judged(self) -> bool:
        """Whether the person may say what she thinks of it."""
        is_there = self.message.progress in (Progress.COMPLETE, Progress.STOPPED)
        return self.message.author == Author.MODEL and is_there and bool(self.message.text)

    @property
    def opinion(self) -> Opinion | None:
        """What she thinks of it."""
        return getattr(self.message, "opinion", None)

    @property
    def complaints(self) -> list[tuple[str, str]]:
        """What may be wrong with it."""
        return [(value, str(label)) for value, label in Complaint.choices]

    @property
    def place(self) -> Place:
        """How much of a growing answer the page has: where the events go on."""
        return Place(len(self.message.text), len(self.message.thought))


@dataclass(frozen=True, slots=True)
class Notice:
    """A refusal in words: what happened, what it did not cost, and the way on."""

    title: str
    text: str = ""
    action: str = ""
    href: str = ""


def list_turns(
    conversation: Conversation, *, since: UUID | None = None, above: UUID | None = None, latest: int | None = None
) -> list[Turn]:
    """The messages of the branch shown: all of them, from one on, those above one, or so many of the latest."""
    path = selectors.list_path(conversation, since=since, above=above, latest=latest)
    return _turns(path, selectors.find_branches(conversation.pk))


def get_turn(principal: Principal, answer_id: UUID) -> Turn:
    """One answer of the person, as shown.

    Raises:
        NotFound: it is not the person's.
    """
    answer = selectors.access_answer(user_id=principal.user_id, answer_id=answer_id)
    return _turns([answer], selectors.find_branches(answer.conversation_id))[0]


def list_branch(leaf: Message) -> list[Turn]:
    """The branch that ends in a message, as others are shown it."""
    return _turns(selectors.list_path(leaf.conversation, leaf=leaf.pk))


def list_shown(question: Message, answer: Message) -> list[Turn]:
    """One question and its answer, as others are shown them."""
    return _turns([question, answer])


def name_page(url: str, title: str) -> NamedPage:
    """A page that a model named, with its host as the network spells it."""
    host = urlsplit(url).hostname or ""
    try:
        spelled = host.encode("idna").decode()
    except UnicodeError:
        spelled = host.encode("ascii", "backslashreplace").decode()
    return NamedPage(url, title or spelled, spelled)


def name_model(name: str) -> tuple[str, str]:
    """How people know an AI model and who runs it; the name itself, and "", for one that is gone."""
    model = Model.objects.filter(name=name).first()
    if model is None:
        return name, ""
    maker = Route.objects.filter(model=model).values_list("upstream__provider__name", flat=True).first()
    return model.label, maker or ""


def render_turns(turns: Sequence[Turn], csrf_token: str) -> str:
    """The markup of messages, as in the page; their forms carry the page's token."""
    shared = {"csrf_token": csrf_token}
    return "".join(render_to_string("chat/_message.html", {"turn": turn} | shared) for turn in turns)


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
    is_whole: bool = False,
) -> JsonObject:
    """The chat page, with an open conversation or an empty one.

    Args:
        is_whole: all messages; else a long conversation opens at its end, and the rest is fetched after.

    Raises:
        NotFound: the conversation is not the person's.
    """
    conversation = _find_conversation(principal, conversation_id)
    turns = list_turns(conversation, latest=None if is_whole else SHOWN_AT_ONCE) if conversation else []
    return {
        **composer_context(principal, conversation),
        **talks_context(principal, current=conversation_id, before=before),
        "turns": turns,
        "above": turns[0].message.pk if turns and turns[0].message.parent_id else None,
        "starters": [] if conversation else selectors.list_starters(get_language() or "en"),
        "deleted": _find_deleted(principal, deleted_id),
        "draft": draft,
        "notice": _notice_of(refusal) if refusal else None,
        "longest": LONGEST_PROMPT,
        "attachable": settings.ATTACHMENTS,
        "limits": tell_limits(),
        "data": {
            "files": files_data(),
            "user": principal.user_id,
            "conversation": str(conversation.pk) if conversation else None,
            "deleted": str(deleted_id) if deleted_id else None,
            "ask": reverse("chat-ask"),
            "talks": reverse("chat-list"),
            "prompts": reverse("prompt-menu"),
            "notices": _notices(),
            "words": words(),
        },
    }


def tell_limits() -> str:
    """What may be attached, in a sentence, before anyone tries."""
    return _(
        "Text, PDF and pictures (PNG, JPEG, WebP, GIF). At most %(most)d files to a question and %(size)s each; "
        "%(characters)s characters and %(pages)d pages of a PDF are read."
    ) % {
        "most": settings.ATTACHMENTS,
        "size": filesizeformat(settings.ATTACHMENT_BYTES),
        "characters": f"{settings.ATTACHMENT_CHARACTERS:,}",
        "pages": settings.ATTACHMENT_PAGES,
    }


def files_data() -> JsonObject:
    """What the page's script must know to say no before anything travels; the server decides all the same."""
    return {
        "url": reverse("attach"),
        "waiting": reverse("attachments-waiting"),
        "most": settings.ATTACHMENTS,
        "bytes": settings.ATTACHMENT_BYTES,
        "characters": settings.ATTACHMENT_CHARACTERS,
        "words": {
            "too_many": _("Not attached: at most %(most)d files can go with one question.")
            % {"most": settings.ATTACHMENTS},
            "too_large": _("This file is larger than %(most)s, the most that can be attached.")
            % {"most": filesizeformat(settings.ATTACHMENT_BYTES)},
            "attached": _("Attached: {name}"),
            "removed": _("Removed: {name}"),
            "wait": _("Wait until the files are there; then send."),
            "pasted": _("pasted text"),
            "long": _(
                "The text you pasted has {count} characters; {most} fit into the box. It was attached as a text file; "
                "what you wrote is unchanged."
            ),
            "longer": _(
                "The text you pasted has {count} characters. Its first {most} were attached as a text file; "
                "what you wrote is unchanged."
            ),
            "cancel": _("Cancel {name}"),
        },
    }


def render_attached(file: Attachment) -> str:
    """The markup of one file that waits to be sent."""
    return render_to_string("chat/_attached.html", {"file": file, "is_waiting": True})


def composer_context(principal: Principal, conversation: Conversation | None) -> JsonObject:
    """What stands around the text box: the models, the course, the price."""
    models = list_models_for(principal, Operation.CHAT)
    chosen = _chosen(models, conversation.model if conversation else "")
    left = find_left(principal)
    return {
        "conversation": conversation,
        "models": models,
        "chosen": chosen,
        "seeing": [model for model in models if model.may(Capability.VISION)],
        "instructions": selectors.find_instructions(principal.user_id),
        "choices": [] if conversation else list_course_notes(principal),
        "rule_note": _note_of_conversation(principal, conversation) if conversation else "",
        "left": left,
        "after": _after(left, chosen),
    }


def _after(left: int | None, model: Model | None) -> int | None:
    """What is left after one press; below 0 where there is not enough."""
    return None if left is None else left - (model.prompt_weight if model else 1)


def list_course_notes(principal: Principal) -> list[tuple[CourseChoice, str]]:
    """What the person may tag a call with, each with a sentence about how much AI is allowed there."""
    return [(choice, _note_of(choice)) for choice in list_choices(principal.user_id, clock.now())]


def _note_of_conversation(principal: Principal, conversation: Conversation) -> str:
    tag = Tag.read(conversation.tag)
    choice = find_choice(principal.user_id, tag) if tag else None
    return _note_of(choice) if choice else conversation.course.title if conversation.course else ""


def _note_of(choice: CourseChoice) -> str:
    """How much AI is allowed there, what is to be done first, and who may read along."""
    if choice.rule is None:
        return choice.title
    said = [_("AI: %(approach)s.") % {"approach": choice.rule.get_approach_display()}]
    if choice.is_refused:
        return said[0]
    if choice.lacks_permission:
        said.append(_("Ask your teacher first."))
    if choice.unread:
        said.append(_("Read and accept the rule first."))
    said.append(
        _("Teachers of the course may open this chat with a reason; you see who looked.")
        if choice.is_readable
        else _("No teacher can open this chat.")
    )
    return join_sentences(said)


def talks_context(principal: Principal, *, current: UUID | None, before: datetime | None = None) -> JsonObject:
    """The list of conversations in the side navigation."""
    talks = selectors.list_conversations(principal.user_id, before=before)
    is_full = len(talks) == selectors.CONVERSATIONS_AT_ONCE
    return {
        "pinned": [] if before else selectors.list_pinned(principal.user_id),
        "folders": [] if before else selectors.list_folders(principal.user_id),
        "groups": selectors.group_by_day(talks),
        "current_id": current,
        "earlier": talks[-1].updated_at if is_full else None,
        "is_continued": before is not None,
    }


def images_context(
    principal: Principal,
    *,
    before: UUID | None = None,
    change: UUID | None = None,
    draft: str = "",
    refusal: DomainError | None = None,
) -> JsonObject:
    """The image page with its gallery.

    Args:
        change: one of the person's pictures: its words are the draft, and a model that can edit begins from it.

    Raises:
        NotFound: `change` is no picture of the person's.
    """
    models = list_models_for(principal, Operation.IMAGE)
    left = find_left(principal)
    source = selectors.access_picture(user_id=principal.user_id, picture_id=change) if change else None
    chosen = _chosen(models, source.job.model if source else "")
    draft = draft or (source.job.prompt if source else "")
    return {
        **gallery_context(principal, before=before),
        "models": models,
        "chosen": chosen,
        "choices": list_course_notes(principal),
        "sizes": ImageSize.choices,
        "size": source.job.size if source else "",
        "qualities": ImageQuality.choices if any(map(_tells_qualities, models)) else [],
        "source": source if source and chosen and Capability.EDITS in chosen.capabilities else None,
        "counts": range(1, MOST_IMAGES + 1),
        "left": left,
        "after": _after(left, chosen),
        "draft": draft,
        "notice": _notice_of(refusal) if refusal else None,
        "longest": LONGEST_IMAGE_PROMPT,
        "data": {
            "user": principal.user_id,
            "notices": _notices(),
            "words": words(),
            "weights": {model.name: {"": model.prompt_weight, **model.image_weights} for model in models},
        },
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
        "is_stopped": job.progress == Progress.STOPPED,
        "missing": job.count - len(job.pictures.all()) if job.progress == Progress.COMPLETE else 0,
        "failure": explain(job.code) if job.progress == Progress.FAILED else "",
    }


def picture_context(picture: Picture) -> JsonObject:
    """One picture with what is known of it."""
    model = Model.objects.filter(name=picture.job.model).first()
    return {
        "picture": picture,
        "job": picture.job,
        "model": model.label if model else picture.job.model,
        "shape": dict(ImageSize.choices).get(picture.job.size, picture.job.size),
        "quality": dict(ImageQuality.choices).get(picture.job.quality, ""),
        "can_change": bool(model and Capability.EDITS in model.capabilities),
        "longest": LONGEST_DESCRIPTION,
    }


def _tells_qualities(model: Model) -> bool:
    """Whether the model's price list knows qualities: others are not asked for one."""
    return any(word in ImageQuality.values for name in model.image_weights for word in name.split())


def _turns(messages: Sequence[Message], branches: Mapping[UUID, Branch] | None = None) -> list[Turn]:
    models = Model.objects.in_bulk({message.model for message in messages}, field_name="name")
    return [_turn(message, models.get(message.model), (branches or {}).get(message.pk)) for message in messages]


def _turn(message: Message, model: Model | None, branch: Branch | None) -> Turn:
    by_person = message.author == Author.PERSON
    return Turn(
        message=message,
        label=str(Author.PERSON.label) if by_person else model.label if model else message.model,
        weight=model.prompt_weight if model else 1,
        failure=explain(message.code) if message.progress == Progress.FAILED else "",
        branch=branch,
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
    """Title and way on for each refusal a person may meet here; "" is for all others. `returns`: and back again.

    `beside`: a better way on may stand in the page already.
    """
    return {
        "": {"title": _("This was not sent"), "action": "", "href": ""},
        "insufficient_quota": {
            "title": _("Your prompts are used up"),
            "action": _("Ask for more"),
            "href": reverse("ask"),
        },
        "acknowledgment_required": {
            "title": _("Please accept the clauses first"),
            "action": _("Read the clauses"),
            "href": reverse("clauses"),
            "returns": True,
        },
        "rule_acknowledgment_required": {
            "title": _("Please accept the rule of the course first"),
            "action": _("Read the rule"),
            "href": reverse("my_courses"),
            "beside": "#rule a[href*='/courses/']",  # the page of the course that is chosen
            "returns": True,
        },
        "policy_refused": {
            "title": _("A rule does not allow this"),
            "action": _("My courses and their rules"),
            "href": reverse("my_courses"),
        },
        "rate_limit_exceeded": {"title": _("Too many at once"), "action": "", "href": ""},
        "sign_in_required": {
            "title": _("You are signed out"),
            "action": _("Sign in again"),
            "href": reverse("account_login"),
            "returns": True,
        },
    }


def words() -> dict[str, str]:
    """The few words scripts say by themselves, so that translation has one home."""
    return {
        "kept": _("What you wrote is saved below."),
        "next": _("Ask the next question"),
        "offline": _("The server cannot be reached. Check your network; nothing was charged."),
        "broken": _("The server answered something unexpected. Reload the page; your text is saved."),
        "waiting": _("Connection lost. Waiting for the answer to go on."),
        "answering": _("Answering. Press Escape to stop."),
        "stopped": _("Stopped."),
        "ready": _("The answer is ready."),
        "failed": _("The answer failed."),
        "side_hidden": _("The sidebar is hidden. The same keys show it again."),
        "side_shown": _("The sidebar is shown."),
        "prompts": _("Saved prompts: {count}. The arrows choose, Enter puts one into the box."),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "wrap": _("Wrap"),
        "code": _("Code"),
        "table": _("Table"),
        "picture": _("picture, not loaded"),
        "drawn": _("The images are ready."),
        "undrawn": _("The images were not made."),
    }
