"""Reads of conversations and images. `access_*` reads with permission: what is not yours is not found."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Lookup, Prefetch, Q, QuerySet, Sum, Value
from django.db.models.functions import Collate, Concat
from django.db.models.lookups import Contains, IContains
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.types import Role
from chat.contents import content_of
from chat.models import (
    AnswerLink,
    Attachment,
    Conversation,
    Hold,
    ImageJob,
    Instructions,
    Message,
    Opinion,
    Picture,
    SavedPrompt,
    SharedChat,
)
from chat.types import Author, Branch, Complaint, Judged, Progress, Shelf, Snapshot
from core import clock
from core.errors import NotFound
from courses.models import Course, Enrollment
from courses.selectors import find_choice, list_readable_spans
from courses.types import CourseRole, Tag
from gateway.models import Model
from gateway.types import Capability, ProviderKind
from quotas.models import LedgerEntry, Reservation
from quotas.types import State, Unit

CONVERSATIONS_AT_ONCE = 40
IMAGE_JOBS_AT_ONCE = 24
LONG_HISTORY = 48_000  # characters: about 12,000 tokens, which every model of the last years reads
SHORT_HISTORY = 8_000  # characters: the built-in model has 4,096 tokens for question and answer


_ATTACHED = Prefetch("attachments", queryset=Attachment.objects.defer("text").order_by("id"))


# ---- conversations ----------------------------------------------------------------------------------


def access_conversation(*, user_id: int, conversation_id: UUID) -> Conversation:
    """The person's own conversation.

    Raises:
        NotFound: there is none by that id, it is someone else's, or it is deleted.
    """
    own = Conversation.objects.filter(pk=conversation_id, user_id=user_id, deleted_at=None)
    conversation = own.select_related("user", "course", "assignment__course").first()
    if conversation is None:
        raise NotFound
    return conversation


def find_deleted_conversation(*, user_id: int, conversation_id: UUID | None) -> Conversation | None:
    """The person's own conversation that was deleted, so that it can be brought back."""
    deleted = Conversation.objects.exclude(deleted_at=None)
    return deleted.filter(pk=conversation_id, user_id=user_id).first() if conversation_id else None


def list_conversations(user_id: int, *, before: datetime | None = None) -> list[Conversation]:
    """The person's conversations, the latest first, at most CONVERSATIONS_AT_ONCE that were last used `before`."""
    own = _listed(user_id).filter(is_pinned=False)
    if before is not None:
        own = own.filter(updated_at__lt=before)
    return list(own[:CONVERSATIONS_AT_ONCE])


def list_arranged(
    user_id: int, *, is_archived: bool, folder: str = "", before: datetime | None = None
) -> list[Conversation]:
    """The person's conversations, pinned or not, in the list or the archive, or in a folder."""
    own = _listed(user_id, folder=folder) if folder or not is_archived else _kept(user_id).exclude(archived_at=None)
    if before is not None:
        own = own.filter(updated_at__lt=before)
    return list(own[:CONVERSATIONS_AT_ONCE])


def list_folders(user_id: int) -> list[str]:
    """The names of the person's folders."""
    filed = _listed(user_id).exclude(folder="").order_by("folder")
    return list(filed.values_list("folder", flat=True).distinct())


def deleted_at(user_id: int, at: datetime) -> QuerySet[Conversation]:
    """What the person deleted at that moment."""
    return Conversation.objects.filter(user_id=user_id, deleted_at=at)


def _kept(user_id: int) -> QuerySet[Conversation]:
    return Conversation.objects.filter(user_id=user_id, deleted_at=None, is_temporary=False)


def _listed(user_id: int, folder: str = "") -> QuerySet[Conversation]:
    listed = _kept(user_id).filter(archived_at=None)
    return listed.filter(folder=folder) if folder else listed


def list_conversation_ids(user_id: int) -> list[UUID]:
    """The ids of every conversation of the person, the oldest first."""
    own = Conversation.objects.filter(user_id=user_id, deleted_at=None)
    return list(own.order_by("pk").values_list("pk", flat=True))


def list_pinned(user_id: int) -> list[Conversation]:
    """The conversations the person pinned, the latest first."""
    return list(_listed(user_id).filter(is_pinned=True))


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


def list_path(
    conversation: Conversation,
    *,
    leaf: UUID | None = None,
    since: UUID | None = None,
    above: UUID | None = None,
    latest: int | None = None,
) -> list[Message]:
    """The messages of one branch, the first one first: the branch shown, or the one that ends in `leaf`.

    Three queries, whatever the number of branches; the texts of attached files are left where they are.

    Args:
        since: from this message on.
        above: those before this message.
        latest: the last ones, as many as that.

    Raises:
        NotFound: `above` is not in this branch.
    """
    parents = dict(Message.objects.filter(conversation=conversation).values_list("pk", "parent"))
    path: list[UUID] = []
    step = leaf or conversation.head_id or max(parents.keys() - set(parents.values()), default=None)
    while step in parents:
        path.append(step)
        step = parents.pop(step)
    path.reverse()
    if since in path:
        path = path[path.index(since) :]
    if above is not None:
        if above not in path:
            raise NotFound
        path = path[: path.index(above)]
    if latest is not None:
        path = path[-latest:]
    found = Message.objects.select_related("opinion").prefetch_related(_ATTACHED).in_bulk(path)
    messages = [found[message_id] for message_id in path]
    for message in messages:
        message.conversation = conversation  # no query for each
    return messages


def find_instructions(user_id: int) -> Instructions | None:
    """The person's own instructions, in use or not."""
    return Instructions.objects.filter(pk=user_id).first()


def instructions_of(conversation: Conversation) -> str:
    """What is sent before every question of the conversation; "" when it goes without."""
    kept = None if conversation.is_plain else find_instructions(conversation.user_id)
    return kept.text if kept and kept.is_on else ""


def find_branches(conversation_id: UUID) -> dict[UUID, Branch]:
    """The place of each message that has neighbors among the branches of the conversation; one query."""
    children: dict[UUID | None, list[UUID]] = defaultdict(list)
    links = Message.objects.filter(conversation=conversation_id).order_by("pk").values_list("pk", "parent")
    for message_id, parent_id in links:
        children[parent_id].append(message_id)
    branches: dict[UUID, Branch] = {}
    for siblings in children.values():
        if len(siblings) > 1:
            around = [None, *siblings, None]
            for n, message_id in enumerate(siblings, 1):
                branches[message_id] = Branch(n, len(siblings), around[n - 1], around[n + 1])
    return branches


def find_leaf(message: Message) -> UUID:
    """The newest end of the branch that runs through a message."""
    links = Message.objects.filter(conversation=message.conversation_id).order_by("pk")
    children: dict[UUID | None, UUID] = dict(links.values_list("parent", "pk"))  # the newest of each wins
    leaf = message.pk
    while leaf in children:
        leaf = children[leaf]
    return leaf


def access_message(*, user_id: int, message_id: UUID) -> Message:
    """A message in one of the person's own conversations, with its conversation.

    Raises:
        NotFound: there is none by that id, it is someone else's, or its conversation is deleted.
    """
    own = Message.objects.filter(conversation__user_id=user_id, conversation__deleted_at=None)
    message = (
        own.select_related("conversation__course", "conversation__assignment__course").filter(pk=message_id).first()
    )
    if message is None:
        raise NotFound
    return message


def has_running_answer(conversation_id: UUID) -> bool:
    """Whether an answer is being written in the conversation now."""
    return Message.objects.filter(
        conversation_id=conversation_id, progress=Progress.RUNNING, lease_until__gte=clock.now()
    ).exists()


def turns_of(path: Sequence[Message], *, characters: int, sees: bool = True) -> list[dict[str, Any]]:
    """The latest turns of a branch as a provider reads them: whole ones, oldest first, beginning with a question.

    Answers that failed or stayed empty are left out.

    Args:
        characters: the most they may have together, with the files that came with them.
        sees: whether the model looks at pictures; another one reads their names.
    """
    turns: list[Message] = []
    for message in reversed(path):
        if not message.text or message.progress == Progress.FAILED:
            continue
        characters -= message.characters
        if characters < 0:
            break
        turns.append(message)
    while turns and turns[-1].author == Author.MODEL:
        turns.pop()
    files = Attachment.objects.in_bulk([file.pk for message in turns for file in message.attachments.all()])
    return [
        {
            "role": "user" if message.author == Author.PERSON else "assistant",
            "content": content_of(message.text, [files[file.pk] for file in message.attachments.all()], sees=sees),
        }
        for message in reversed(turns)
    ]


def get_longest_history(model: str) -> int:
    """How many characters of a conversation the AI model is sent at most, the question included."""
    kind = Model.objects.filter(name=model).values_list("routes__upstream__provider__kind", flat=True).first()
    return SHORT_HISTORY if kind == ProviderKind.LOCAL else LONG_HISTORY


def get_longest_reading(model: str) -> int:
    """The same where files are among it: people attach them to be read."""
    history = get_longest_history(model)
    return history if history == SHORT_HISTORY else max(history, history + settings.ATTACHMENT_CHARACTERS)


def sees_pictures(model: str) -> bool:
    """Whether the AI model looks at pictures, or nothing is known of it."""
    found = Model.objects.filter(name=model).first()
    return found is None or found.may(Capability.VISION)


# ---- attached files ---------------------------------------------------------------------------------


def access_attachment(*, user_id: int, attachment_id: UUID) -> Attachment:
    """A file the person attached, waiting or sent.

    Raises:
        NotFound: there is none by that id, it is someone else's, or its conversation is deleted.
    """
    own = Attachment.objects.filter(pk=attachment_id, user_id=user_id, conversation__deleted_at=None)
    attachment = own.first()
    if attachment is None:
        raise NotFound
    return attachment


def list_waiting(user_id: int, attachment_ids: Collection[UUID]) -> list[Attachment]:
    """Those of these files that wait to be sent by the person, in the order they came."""
    return list(Attachment.objects.filter(pk__in=attachment_ids, user_id=user_id, conversation=None))


def count_waiting(user_id: int) -> int:
    """How many files of the person wait to be sent, in all her tabs."""
    return Attachment.objects.filter(user_id=user_id, conversation=None).count()


# ---- answers ----------------------------------------------------------------------------------------


def access_answer(*, user_id: int, answer_id: UUID) -> Message:
    """An answer in one of the person's own conversations, with its conversation.

    Raises:
        NotFound: there is none by that id, or it is someone else's, or its conversation is deleted.
    """
    answer = (
        Message.objects.select_related("conversation__course", "conversation__assignment__course", "opinion")
        .filter(pk=answer_id, author=Author.MODEL, conversation__user_id=user_id, conversation__deleted_at=None)
        .first()
    )
    if answer is None:
        raise NotFound
    return answer


def get_question(answer: Message) -> Message:
    """The question an answer follows.

    Raises:
        NotFound: it is gone.
    """
    if answer.parent is None:
        raise NotFound
    return answer.parent


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
        thought=answer.thought,
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


def find_answer_link(answer_id: UUID) -> AnswerLink | None:
    """The permalink of an answer, open or closed; None when it never had one."""
    return AnswerLink.objects.filter(pk=answer_id).first()


def access_answer_link(*, reader_id: int, answer_id: UUID) -> AnswerLink:
    """The permalink of an answer for somebody signed in, with the answer, its conversation and its author.

    Its own author may follow it while it is closed, to see what others would.

    Raises:
        NotFound: it was never opened, is closed, or its conversation is deleted.
    """
    links = AnswerLink.objects.select_related("answer__conversation__user", "answer__conversation__course")
    link = links.filter(pk=answer_id, answer__conversation__deleted_at=None).first()
    if link is None or not (link.is_open or link.answer.conversation.user_id == reader_id):
        raise NotFound
    return link


def list_judged(*, least: int, search: str = "") -> list[Judged]:
    """What people think of each AI model's answers whose name or label has `search` in it; two queries.

    Args:
        least: of a model that fewer people judged, nothing but its name is told.
    """
    sums = {
        "people": Count("user", distinct=True),
        "good": Count("user", filter=Q(is_good=True)),
        "bad": Count("user", filter=Q(is_good=False)),
        **{reason: Count("user", filter=Q(reason=reason)) for reason in Complaint.values},
    }
    by_model = Opinion.objects.values("model").annotate(**sums).order_by("model")
    rows: Iterable[tuple[Any, ...]] = by_model.values_list("model", *sums)
    labels = dict(Model.objects.values_list("name", "label"))
    judged = []
    for name, people, *numbers in rows:
        label = labels.get(name, name)
        if search.lower() in f"{name}\n{label}".lower():
            judged.append(Judged(name, label, *(numbers if people >= least else ())))
    return judged


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


def list_shared_chats(user_id: int) -> list[SharedChat]:
    """What the person shares now, the newest first."""
    own = SharedChat.objects.filter(leaf__conversation__user_id=user_id, revoked_at=None)
    return list(own.filter(leaf__conversation__deleted_at=None).select_related("leaf__conversation"))


def access_shared_chat(shared_id: UUID) -> SharedChat:
    """A chat that is shared now, with its conversation and owner, for somebody signed in.

    Raises:
        NotFound: it never was, is revoked, or its conversation is deleted.
    """
    shared = SharedChat.objects.select_related("leaf__conversation__user", "leaf__conversation__course")
    found = shared.filter(pk=shared_id, revoked_at=None, leaf__conversation__deleted_at=None).first()
    if found is None:
        raise NotFound
    return found


# ---- search ----------------------------------------------------------------------------------------------------------

HITS_AT_ONCE = 30


def search_messages(user_id: int, words: Sequence[str], *, before: datetime | None = None) -> list[Message]:
    """The person's messages that hold every word, the newest first, at most HITS_AT_ONCE older than `before`.

    Words are found anywhere in the text, in any script, in any case; only the person's own rows are read
    (docs/decisions/0042).
    """
    hits = Message.objects.filter(
        conversation__user_id=user_id, conversation__deleted_at=None, conversation__is_temporary=False
    )
    for word in words:
        hits = hits.filter(_holds("text", word))
    if before is not None:
        hits = hits.filter(created_at__lt=before)
    return list(hits.select_related("conversation").order_by("-created_at", "-pk")[:HITS_AT_ONCE])


def search_titles(user_id: int, words: Sequence[str]) -> list[Conversation]:
    """The person's conversations whose title holds every word, the latest first, at most HITS_AT_ONCE."""
    own = _kept(user_id)
    for word in words:
        own = own.filter(_holds("title", word))
    return list(own[:HITS_AT_ONCE])


def _holds(field: str, word: str) -> "Lookup[Any]":
    """Whether the text holds the word, in any case, for as little work as the word's script allows.

    PostgreSQL needs twice as long to raise every letter of the world's scripts as those of ASCII, and Chinese has none.
    SQLite knows the case of ASCII only.
    """
    if word.upper() == word.lower():
        return Contains(F(field), word)
    if word.isascii() and connection.vendor == "postgresql":
        return IContains(Collate(field, "C"), word)
    return IContains(F(field), word)


# ---- saved prompts ---------------------------------------------------------------------------------------------------


def list_prompts(shelf: Shelf) -> list[SavedPrompt]:
    """What is kept there, by language and command."""
    return list(on_shelf(shelf))


def search_everyones(*, search: str = "", language: str = "", state: str = "") -> QuerySet[SavedPrompt]:
    """Everyone's prompts that have `search` in their title, command or text, each with its place in `by_language`.

    Args:
        language: of those who are offered it; "any" for whom the language does not matter.
        state: "starter" for those on the empty page, "menu" for the others.
    """
    prompts = on_shelf(Shelf()).annotate(by_language=Concat("language", Value(" "), "command"))
    if search:
        words = Q(title__icontains=search) | Q(command__icontains=search.lstrip("/")) | Q(text__icontains=search)
        prompts = prompts.filter(words)
    if language:
        prompts = prompts.filter(language="" if language == "any" else language)
    return prompts.filter(is_starter=state == "starter") if state else prompts


def access_prompt(*, shelf: Shelf, prompt_id: UUID) -> SavedPrompt:
    """One of the prompts kept there.

    Raises:
        NotFound: there is none by that id, or it is kept elsewhere.
    """
    prompt = on_shelf(shelf).filter(pk=prompt_id).first()
    if prompt is None:
        raise NotFound
    return prompt


def list_starters(language: str) -> list[SavedPrompt]:
    """What the empty page offers to who reads it in this language."""
    return list(_everyones(language).filter(is_starter=True))


def list_offered(user_id: int, *, tag: str, language: str) -> list[tuple[str, list[SavedPrompt]]]:
    """What the menu offers the person in a chat with this tag, under the words for whose they are; own ones first.

    A course's are offered to who is in it, and where its rules let them ask at all.
    """
    course = _asking_course(user_id, tag)
    shelves = [
        (_("My own"), list_prompts(Shelf(owner_id=user_id))),
        (course.code, list_prompts(Shelf(course_id=course.pk))) if course else ("", []),
        (_("For everyone"), list(_everyones(language))),
    ]
    return [(label, prompts) for label, prompts in shelves if prompts]


def on_shelf(shelf: Shelf) -> QuerySet[SavedPrompt]:
    """The prompts kept there."""
    return SavedPrompt.objects.filter(owner=shelf.owner_id, course=shelf.course_id)


def _everyones(language: str) -> QuerySet[SavedPrompt]:
    return on_shelf(Shelf()).filter(language__in=["", language])


def _asking_course(user_id: int, tag: str) -> Course | None:
    """The course of the tag, unless the person is not in it or its rules refuse whatever they ask."""
    wanted = Tag.read(tag)
    if wanted is None:
        return None
    choice = find_choice(user_id, wanted) or find_choice(user_id, Tag(wanted.course))  # an assignment may be over
    return choice.course if choice and not choice.is_refused else None


# ---- a teacher's look ------------------------------------------------------------------------------------------------

COURSE_CHATS_AT_ONCE = 50
REVIEW_AFTER_END = timedelta(days=60)  # as long as grades may be asked about


def list_course_chats(course: Course, *, before: datetime | None = None) -> list[Conversation]:
    """The chats of the course that its teachers may open with a reason, the last used first (D14).

    Only students' chats, only those begun while the course's published rule said so, and not long after its end.
    What its owner deleted stays openable until retention removes it.
    """
    chats = _readable_chats(course)
    if before is not None:
        chats = chats.filter(updated_at__lt=before)
    return list(chats.annotate(turns=Count("messages")).order_by("-updated_at", "-id")[:COURSE_CHATS_AT_ONCE])


def access_course_chat(course: Course, conversation_id: UUID) -> Conversation:
    """One chat of the course that its teachers may open.

    Raises:
        NotFound: there is none, or it is not theirs to open: the two look the same.
    """
    chat = _readable_chats(course).filter(pk=conversation_id).first()
    if chat is None:
        raise NotFound
    return chat


def _readable_chats(course: Course) -> QuerySet[Conversation]:
    if clock.local_day(clock.now()) > course.ends_on + REVIEW_AFTER_END:
        return Conversation.objects.none()
    announced = Q(pk__in=[])
    for start, end in list_readable_spans(course.pk):
        announced |= Q(created_at__gte=start) & (Q(created_at__lt=end) if end else Q())
    staff = Enrollment.objects.filter(course=course).exclude(role=CourseRole.STUDENT)
    chats = Conversation.objects.filter(announced, course=course, user__role=Role.STUDENT)
    return chats.exclude(user__in=staff.values("user")).select_related("user", "course")


# ---- what is kept for a case ------------------------------------------------------------------------


def is_held() -> Q:
    """Of conversations and image jobs: those a hold keeps from being removed."""
    in_force = Hold.objects.filter(ended_at=None)
    people = in_force.exclude(user=None).values("user")
    courses = in_force.exclude(course=None).values("course")
    return Q(user__in=people) | Q(course__isnull=False, course__in=courses)


def list_holds(*, search: str = "", state: str = "") -> QuerySet[Hold]:
    """The holds whose case, person or course contains `search`: "in_force" or "ended" ones, or all."""
    holds = Hold.objects.select_related("user", "course", "placed_by")
    if search:
        person = Q(user__name__icontains=search) | Q(user__email__icontains=search)
        holds = holds.filter(Q(case__icontains=search) | person | Q(course__code__icontains=search))
    return holds.filter(ended_at__isnull=state == "in_force") if state else holds


def get_hold(hold_id: int) -> Hold:
    """One hold.

    Raises:
        NotFound: there is none by that id.
    """
    hold = Hold.objects.select_related("user", "course", "placed_by", "ended_by").filter(pk=hold_id).first()
    if hold is None:
        raise NotFound
    return hold


def count_held(hold: Hold) -> tuple[int, int]:
    """How many conversations and image jobs a hold is about, those their owner deleted among them."""
    about = {"user": hold.user_id} if hold.user_id else {"course": hold.course_id}
    return Conversation.objects.filter(**about).count(), ImageJob.objects.filter(**about).count()
