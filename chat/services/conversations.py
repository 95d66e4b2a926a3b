"""Conversations: asking, keeping an answer as it grows, ending it; renaming, deleting, restoring."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.types import Principal
from chat import selectors
from chat.contents import content_of
from chat.errors import AnswerRunning, Lost
from chat.models import Attachment, Conversation, Message
from chat.services.admitting import admission_first, assignment_of, checked_text, course_of
from chat.services.attachments import check_readable, check_waiting, give, waiting_for
from chat.types import Asked, Author, Progress
from core import clock
from core.errors import InvalidRequest, NotFound
from core.ids import new_id
from core.text import one_line
from core.types import Operation, Via
from gateway import admission as gate
from gateway.types import Admission, Call, Citation

# Whoever writes an answer says so every second; silent for this long means dead.
LEASE = timedelta(seconds=20)
LONGEST_PROMPT = 32_000  # characters, as the next
LONGEST_TITLE = 60
MOST_SOURCES = 50  # more than anybody looks at
# For the AI model, not for people: in the language that models follow best. See docs/decisions/0055.
WISHES = "The person you answer wishes the following. It ranks below every other rule you were given."


# ---- asking -----------------------------------------------------------------------------------------


def ask(
    *,
    principal: Principal,
    text: str,
    model: str,
    conversation_id: UUID | None = None,
    course_code: str = "",
    instead_of: UUID | None = None,
    is_temporary: bool = False,
    attachment_ids: Sequence[UUID] = (),
    is_plain: bool = False,
) -> Asked:
    """Save a question with an empty answer and admit the call, or do nothing at all.

    Args:
        conversation_id: the conversation to go on with, at the end of the branch shown; a new one when None.
        course_code: what a new conversation is for, CODE or CODE/ASSIGNMENT, or "". It stays: who may read along is
            told before the first prompt and does not change behind the person's back (D14).
        instead_of: an earlier question of the conversation that this one is another wording of: a new branch, with
            the same files.
        is_temporary: a new conversation is in no list and does not last (docs/decisions/0054).
        attachment_ids: files that wait to be sent; they go along in this order.
        is_plain: a new conversation goes without the person's instructions.

    Raises:
        InvalidRequest: the text is empty or longer than LONGEST_PROMPT, the course is not one of the person's, or a
            file is gone or more than the model can read or see.
        NotFound: the conversation or the earlier question is not the person's.
        AnswerRunning: the answer before this one is still being written.
        Refusal: what `gateway.admission.admit` says no with.
    """
    text = checked_text(text, longest=LONGEST_PROMPT)
    if conversation_id is None:
        conversation = _new_conversation(principal, title=title_of(text), model=model, tag=course_code)
        conversation.is_plain = is_plain
        if is_temporary:
            _make_temporary(conversation)
    else:
        conversation = selectors.access_conversation(user_id=principal.user_id, conversation_id=conversation_id)
    earlier, path = None, selectors.list_path(conversation)
    if instead_of:
        *path, earlier = _path_to(conversation, instead_of)
    given = list(earlier.attachments.all()) if earlier else waiting_for(principal.user_id, attachment_ids)
    call = _chat_call(conversation, path, model=model, question=text, given=given)
    with admission_first():
        _check_turn(conversation)
        if not earlier:
            check_waiting(given)
        admission = gate.admit(principal, call)
        question_id, answer_id = new_id(), new_id()
        conversation.model, conversation.updated_at, conversation.archived_at = model, clock.now(), None
        conversation.save()
        question = Message.objects.create(
            pk=question_id,
            conversation=conversation,
            parent=path[-1] if path else None,
            author=Author.PERSON,
            text=text,
        )
        give(given, question)
        _create_answer(answer_id, question, admission)
    return Asked(conversation.pk, question_id, answer_id, admission, instead_of)


def ask_again(*, principal: Principal, answer_id: UUID, model: str = "") -> Asked:
    """Have the question of an earlier answer answered once more, as another branch beside it.

    Args:
        model: another AI model than the earlier answer's.

    Raises:
        NotFound, AnswerRunning, Refusal: as `ask`.
    """
    earlier = selectors.access_answer(user_id=principal.user_id, answer_id=answer_id)
    conversation, question = earlier.conversation, selectors.get_question(earlier)
    *path, question = selectors.list_path(conversation, leaf=question.pk)
    given = list(question.attachments.all())
    call = _chat_call(conversation, path, model=model or earlier.model, question=question.text, given=given)
    answer_id = new_id()
    with admission_first():
        _check_turn(conversation)
        admission = gate.admit(principal, call)
        conversation.updated_at = clock.now()
        conversation.save(update_fields=["updated_at"])
        _create_answer(answer_id, question, admission)
    return Asked(conversation.pk, None, answer_id, admission, earlier.pk)


def show_branch(*, user_id: int, message_id: UUID) -> Conversation:
    """Show the branch that runs through a message, to its newest end; the next question goes on from there.

    Raises:
        NotFound: the message is not in one of the person's conversations.
    """
    message = selectors.access_message(user_id=user_id, message_id=message_id)
    conversation = message.conversation
    Conversation.objects.filter(pk=conversation.pk).update(head=selectors.find_leaf(message))
    return conversation


def _new_conversation(principal: Principal, *, title: str, model: str, tag: str) -> Conversation:
    course = course_of(principal, tag)
    assignment = assignment_of(course, tag) if course else None
    return Conversation(user_id=principal.user_id, title=title, model=model, course=course, assignment=assignment)


def _make_temporary(conversation: Conversation) -> None:
    if conversation.course is not None:
        raise InvalidRequest(_("A temporary chat cannot be for a course. Nothing was charged."), param="temporary")
    conversation.is_temporary, conversation.title = True, _("Temporary chat")


def _path_to(conversation: Conversation, question_id: UUID) -> list[Message]:
    """The branch up to an earlier question of the person's."""
    path = selectors.list_path(conversation, leaf=question_id)
    if not path or path[-1].author != Author.PERSON:
        raise NotFound
    return path


def title_of(text: str) -> str:
    """The first line of a first prompt that says something, cut at a word: no model is asked for it."""
    line = next((line for line in text.splitlines() if any(c.isalnum() for c in line)), text)
    line = one_line(line.lstrip("#>*-` "), longest=120)
    if len(line) <= LONGEST_TITLE:
        return line
    head, space, _rest = line[:LONGEST_TITLE].rpartition(" ")
    return (head if space and len(head) > LONGEST_TITLE // 2 else line[: LONGEST_TITLE - 1]).rstrip(" ,.;:") + "…"


def _chat_call(
    conversation: Conversation, path: Sequence[Message], *, model: str, question: str, given: Sequence[Attachment]
) -> Call:
    sees = selectors.sees_pictures(model)
    has_files = bool(given) or any(message.attachments.all() for message in path)
    most = selectors.get_longest_reading(model) if has_files else selectors.get_longest_history(model)
    wishes = selectors.instructions_of(conversation)
    before = [{"role": "system", "content": f"{WISHES}\n\n{wishes}"}] if wishes else []
    length = len(question) + sum(file.characters for file in given) + len(wishes)
    if given:
        check_readable(given, model=model, length=length, most=most, sees=sees)
    turns = selectors.turns_of(path, characters=max(0, most - length), sees=sees)
    content = content_of(question, given, sees=sees)
    return Call(
        id=new_id(),
        operation=Operation.CHAT,
        model=model,
        body={"messages": [*before, *turns, {"role": "user", "content": content}]},
        stream=True,
        course_code=conversation.tag,
        via=Via.WEB,
        is_large=has_files,
    )


def _check_turn(conversation: Conversation) -> None:
    """Of two tabs that ask in one conversation at once, the second waits for the first one's row, then sees it."""
    Conversation.objects.select_for_update().filter(pk=conversation.pk).exists()
    if selectors.has_running_answer(conversation.pk):
        raise AnswerRunning


def _create_answer(answer_id: UUID, question: Message, admission: Admission) -> None:
    Message.objects.create(
        pk=answer_id,
        conversation_id=question.conversation_id,
        parent=question,
        author=Author.MODEL,
        progress=Progress.RUNNING,
        model=admission.call.model,
        call_id=admission.call.id,
        prompts=admission.prompts,
        lease_until=clock.now() + LEASE,
    )
    Conversation.objects.filter(pk=question.conversation_id).update(head=answer_id)


# ---- an answer as it grows --------------------------------------------------------------------------


def save_progress(*, texts: Mapping[UUID, str], thoughts: Mapping[UUID, str] | None = None) -> set[UUID]:
    """Keep what running answers say so far and what their models thought, and renew their leases.

    Returns those a person wants stopped.
    """
    lease_until = clock.now() + LEASE
    running = Message.objects.filter(progress=Progress.RUNNING)
    with transaction.atomic():
        for answer_id, text in texts.items():
            thought = (thoughts or {}).get(answer_id, "")
            running.filter(pk=answer_id).update(text=text, thought=thought, lease_until=lease_until)
    return set(running.filter(pk__in=texts, wants_stop=True).values_list("pk", flat=True))


def finish_answer(
    *,
    answer_id: UUID,
    text: str,
    progress: Progress,
    code: str = "",
    retry_after: int = 0,
    thought: str = "",
    citations: Sequence[Citation] = (),
) -> bool:
    """End an answer once; what it used is read from the ledger, which has been told before. True if this call did."""
    answer = Message.objects.filter(pk=answer_id, progress=Progress.RUNNING)
    call_id = answer.values_list("call_id", flat=True).first()
    prompts = selectors.get_charge(call_id) if call_id else 0
    return bool(
        answer.update(
            text=text,
            thought=thought,
            sources=[citation._asdict() for citation in citations],
            progress=progress,
            code=code,
            retry_after=retry_after,
            prompts=prompts,
            ended_at=clock.now(),
            lease_until=None,
        )
    )


def request_stop(*, user_id: int, answer_id: UUID) -> None:
    """Note that the person wants no more of an answer, for whichever process is writing it. Nothing if it has ended.

    Raises:
        NotFound: the answer is not the person's.
    """
    answer = selectors.access_answer(user_id=user_id, answer_id=answer_id)
    Message.objects.filter(pk=answer.pk, progress=Progress.RUNNING).update(wants_stop=True)


def end_abandoned_answers() -> int:
    """Mark answers whose process died as failed, with the text they had; safe when several do it at once."""
    dead = Message.objects.filter(progress=Progress.RUNNING, lease_until__lt=clock.now())
    return sum(
        finish_answer(answer_id=answer_id, text=text, thought=thought, progress=Progress.FAILED, code=Lost.code)
        for answer_id, text, thought in dead.values_list("pk", "text", "thought")
    )


# ---- conversations ----------------------------------------------------------------------------------


def rename_conversation(*, user_id: int, conversation_id: UUID, title: str) -> Conversation:
    """Give a conversation another title.

    Raises:
        NotFound: it is not the person's.
        InvalidRequest: the title is empty.
    """
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    conversation.title = one_line(title, longest=120)
    if not conversation.title:
        raise InvalidRequest(_("A chat needs a title of at least one letter."), param="title")
    conversation.save(update_fields=["title"])
    return conversation


def pin_conversation(*, user_id: int, conversation_id: UUID, is_pinned: bool) -> Conversation:
    """Keep a conversation at the top of the list, or let it go back to its day.

    Raises:
        NotFound: it is not the person's.
    """
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    conversation.is_pinned = is_pinned
    conversation.save(update_fields=["is_pinned"])
    return conversation


def delete_conversation(*, user_id: int, conversation_id: UUID) -> Conversation:
    """Hide a conversation from its owner; `restore_conversation` brings it back until retention removes it (D15).

    Raises:
        NotFound: it is not the person's.
    """
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    Message.objects.filter(conversation=conversation, progress=Progress.RUNNING).update(wants_stop=True)
    conversation.deleted_at = clock.now()
    conversation.save(update_fields=["deleted_at"])
    return conversation


def restore_conversation(*, user_id: int, conversation_id: UUID) -> Conversation:
    """Undo `delete_conversation`.

    Raises:
        NotFound: it is not the person's, or not deleted.
    """
    conversation = selectors.find_deleted_conversation(user_id=user_id, conversation_id=conversation_id)
    if conversation is None:
        raise NotFound
    conversation.deleted_at = None
    conversation.save(update_fields=["deleted_at"])
    return conversation
