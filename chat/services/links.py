"""What a person lets others at this university read: the permalink of an answer, a shared chat; and taking it back."""

from uuid import UUID

from django.utils.translation import gettext as _

from chat import selectors
from chat.models import AnswerLink, SharedChat
from chat.types import Progress
from core import clock
from core.errors import InvalidRequest, NotFound


def open_answer_link(*, user_id: int, answer_id: UUID) -> AnswerLink:
    """Open the permalink of one of the person's answers, for everyone who is signed in here.

    Raises:
        NotFound: it is no answer of the person's.
    """
    answer = selectors.access_answer(user_id=user_id, answer_id=answer_id)
    link, _made = AnswerLink.objects.update_or_create(
        answer=answer, defaults={"opened_at": clock.now(), "closed_at": None}
    )
    return link


def close_answer_link(*, user_id: int, answer_id: UUID) -> None:
    """Close it: whoever follows it from now on finds nothing.

    Raises:
        NotFound: it is no answer of the person's.
    """
    answer = selectors.access_answer(user_id=user_id, answer_id=answer_id)
    AnswerLink.objects.filter(answer=answer, closed_at=None).update(closed_at=clock.now())


def share_conversation(*, user_id: int, conversation_id: UUID) -> SharedChat:
    """Share the branch shown, as it stands now, with everyone who is signed in here; again: the same link.

    Raises:
        NotFound: it is not the person's.
        InvalidRequest: there is nothing in it yet, or an answer is still being written.
    """
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    if conversation.is_temporary:
        raise InvalidRequest(_("A temporary chat is not shared: it is removed soon."))
    path = selectors.list_path(conversation)
    if not path or path[-1].progress == Progress.RUNNING:
        raise InvalidRequest(_("Wait until the answer is there; then share the chat."))
    existing: SharedChat | None = SharedChat.objects.filter(leaf=path[-1], revoked_at=None).first()
    return existing or SharedChat.objects.create(leaf=path[-1])


def revoke_shared_chat(*, user_id: int, shared_id: UUID) -> None:
    """Whoever follows the link from now on finds nothing.

    Raises:
        NotFound: it is no shared chat of the person's.
    """
    own = SharedChat.objects.filter(pk=shared_id, leaf__conversation__user_id=user_id, revoked_at=None)
    if not own.update(revoked_at=clock.now()):
        raise NotFound
