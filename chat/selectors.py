"""Reads of conversations and images. `access_*` reads with permission: what is not yours is not found."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.models import Conversation, ImageJob, Message, Picture
from chat.types import Author, Progress, Snapshot
from core import clock
from core.errors import NotFound
from gateway.models import Model
from gateway.types import ProviderKind
from quotas.models import LedgerEntry, Reservation
from quotas.types import State, Unit

CONVERSATIONS_AT_ONCE = 40
IMAGE_JOBS_AT_ONCE = 24
LONG_HISTORY = 48_000  # characters: about 12,000 tokens, which every model of the last years reads
SHORT_HISTORY = 8_000  # characters: the built-in model has 4,096 tokens for question and answer


# ---- conversations ----------------------------------------------------------------------------------


def access_conversation(*, user_id: int, conversation_id: UUID) -> Conversation:
    """The person's own conversation.

    Raises:
        NotFound: there is none by that id, it is someone else's, or it is deleted.
    """
    own = Conversation.objects.filter(pk=conversation_id, user_id=user_id, deleted_at=None)
    conversation = own.select_related("course").first()
    if conversation is None:
        raise NotFound
    return conversation


def find_deleted_conversation(*, user_id: int, conversation_id: UUID | None) -> Conversation | None:
    """The person's own conversation that was deleted, so that it can be brought back."""
    deleted = Conversation.objects.exclude(deleted_at=None)
    return deleted.filter(pk=conversation_id, user_id=user_id).first() if conversation_id else None


def list_conversations(user_id: int, *, before: datetime | None = None) -> list[Conversation]:
    """The person's conversations, the latest first, at most CONVERSATIONS_AT_ONCE that were last used `before`."""
    own = Conversation.objects.filter(user_id=user_id, deleted_at=None)
    if before is not None:
        own = own.filter(updated_at__lt=before)
    return list(own[:CONVERSATIONS_AT_ONCE])


def group_by_day(conversations: Sequence[Conversation]) -> list[tuple[str, list[Conversation]]]:
    """Conversations under the words people look for: today, yesterday, last 7 days, then by month."""
    groups: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        groups.setdefault(_heading(conversation.updated_at), []).append(conversation)
    return list(groups.items())


def _heading(at: datetime) -> str:
    today = timezone.localdate(clock.now())
    day = timezone.localdate(at)
    age = (today - day).days
    if age <= 0:
        return _("Today")
    if age == 1:
        return _("Yesterday")
    if age <= 7:
        return _("Last 7 days")
    return date_format(day, "F" if day.year == today.year else "YEAR_MONTH_FORMAT")


def list_messages(conversation_id: UUID, *, since: UUID | None = None) -> list[Message]:
    """The messages of a conversation, the first one first: all of them, or from one on."""
    messages = Message.objects.filter(conversation_id=conversation_id)
    return list(messages if since is None else messages.filter(pk__gte=since))


def has_running_answer(conversation_id: UUID) -> bool:
    """Whether an answer is being written in the conversation now."""
    return Message.objects.filter(
        conversation_id=conversation_id, progress=Progress.RUNNING, lease_until__gte=clock.now()
    ).exists()


def list_turns(conversation_id: UUID, *, before: UUID | None = None, characters: int) -> list[dict[str, str]]:
    """The latest turns of a conversation as a provider reads them: whole ones, oldest first, beginning with a question.

    Answers that failed or stayed empty are left out.

    Args:
        before: the message they lead up to; the end of the conversation when None.
        characters: the most text they may have together.
    """
    messages = Message.objects.filter(conversation_id=conversation_id).exclude(progress=Progress.FAILED)
    if before is not None:
        messages = messages.filter(pk__lt=before)
    turns: list[dict[str, str]] = []
    for author, text in messages.exclude(text="").order_by("-pk").values_list("author", "text").iterator(chunk_size=20):
        characters -= len(text)
        if characters < 0:
            break
        turns.append({"role": "user" if author == Author.PERSON else "assistant", "content": text})
    while turns and turns[-1]["role"] == "assistant":
        turns.pop()
    return turns[::-1]


def get_longest_history(model: str) -> int:
    """How many characters of a conversation the AI model is sent at most, the question included."""
    kind = Model.objects.filter(name=model).values_list("upstream__provider__kind", flat=True).first()
    return SHORT_HISTORY if kind == ProviderKind.LOCAL else LONG_HISTORY


# ---- answers ----------------------------------------------------------------------------------------


def access_answer(*, user_id: int, answer_id: UUID) -> Message:
    """An answer in one of the person's own conversations, with its conversation.

    Raises:
        NotFound: there is none by that id, or it is someone else's, or its conversation is deleted.
    """
    answer = (
        Message.objects.select_related("conversation__course")
        .filter(pk=answer_id, author=Author.MODEL, conversation__user_id=user_id, conversation__deleted_at=None)
        .first()
    )
    if answer is None:
        raise NotFound
    return answer


def get_question(answer: Message) -> Message:
    """The question an answer belongs to: the person's last message before it.

    Raises:
        NotFound: it is gone.
    """
    question = (
        Message.objects.filter(conversation_id=answer.conversation_id, author=Author.PERSON, pk__lt=answer.pk)
        .order_by("-pk")
        .first()
    )
    if question is None:
        raise NotFound
    return question


def get_snapshot(answer_id: UUID) -> Snapshot:
    """How far an answer has come, by its row.

    Raises:
        NotFound: the row is gone.
    """
    answer = Message.objects.filter(pk=answer_id).first()
    if answer is None:
        raise NotFound
    is_running = answer.progress == Progress.RUNNING
    return Snapshot(
        text=answer.text,
        progress=Progress(answer.progress),
        prompts=answer.prompts,
        code=answer.code,
        is_abandoned=is_running and (answer.lease_until is None or answer.lease_until < clock.now()),
    )


def get_charge(call_id: UUID) -> int:
    """How many prompts a call has used by now, by the ledger: 0 while they are held, and after they came back."""
    moves = LedgerEntry.objects.filter(reservation_id=call_id, allowance__unit=Unit.PROMPTS)
    # One call moves every allowance that covers it by the same amount.
    used = moves.values("allowance").annotate(used=Sum("delta_used")).order_by("-used").values_list("used", flat=True)
    return used.first() or 0


def is_dispatched(call_id: UUID) -> bool:
    """Whether the call's reservation is still open and nothing has come back for it."""
    return Reservation.objects.filter(call_id=call_id, state__in=(State.HELD, State.DISPATCHED)).exists()


# ---- images -----------------------------------------------------------------------------------------


def access_image_job(*, user_id: int, job_id: UUID) -> ImageJob:
    """The person's own image job with its pictures.

    Raises:
        NotFound: there is none by that id, it is someone else's, or it is deleted.
    """
    job = _own_jobs(user_id).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job


def list_image_jobs(user_id: int, *, before: UUID | None = None) -> list[ImageJob]:
    """The person's image jobs with their pictures, the latest first, at most IMAGE_JOBS_AT_ONCE older than `before`."""
    jobs = _own_jobs(user_id)
    if before is not None:
        jobs = jobs.filter(pk__lt=before)
    return list(jobs[:IMAGE_JOBS_AT_ONCE])


def access_picture(*, user_id: int, picture_id: UUID) -> Picture:
    """One of the person's own pictures, with its job.

    Raises:
        NotFound: there is none by that id, it is someone else's, or its job is deleted.
    """
    own = Picture.objects.select_related("job").filter(pk=picture_id, job__user_id=user_id, job__deleted_at=None)
    picture = own.first()
    if picture is None:
        raise NotFound
    return picture


def _own_jobs(user_id: int) -> QuerySet[ImageJob]:
    return (
        ImageJob.objects.filter(user_id=user_id, deleted_at=None)
        .select_related("course")
        .prefetch_related(Prefetch("pictures", queryset=Picture.objects.order_by("id")))
    )
