"""Many conversations at once: put away, into a folder, deleted and brought back. All of them, or none."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from chat import selectors
from chat.models import Conversation, Message
from chat.types import Progress
from core import clock
from core.errors import NotFound
from core.text import one_line

LONGEST_FOLDER = 60
MOST_AT_ONCE = 100


def archive_conversations(*, user_id: int, conversation_ids: Collection[UUID], is_archived: bool = True) -> int:
    """Take conversations out of the list, or back into it; search finds them either way. Returns how many.

    Raises:
        NotFound: one of them is not the person's.
    """
    with transaction.atomic():
        return _own(user_id, conversation_ids).update(archived_at=clock.now() if is_archived else None)


def file_conversations(*, user_id: int, conversation_ids: Collection[UUID], folder: str) -> int:
    """Put conversations into a folder, which is there while something is in it; "" takes them out. Returns how many.

    Raises:
        NotFound: one of them is not the person's.
    """
    with transaction.atomic():
        return _own(user_id, conversation_ids).update(folder=one_line(folder, longest=LONGEST_FOLDER))


def delete_conversations(*, user_id: int, conversation_ids: Collection[UUID]) -> datetime:
    """Hide conversations from their owner; returns the moment, by which `restore_deleted_at` brings them back.

    Raises:
        NotFound: one of them is not the person's.
    """
    at = clock.now()
    with transaction.atomic():
        own = _own(user_id, conversation_ids)
        Message.objects.filter(conversation__in=list(own), progress=Progress.RUNNING).update(wants_stop=True)
        own.update(deleted_at=at)
    return at


def restore_deleted_at(*, user_id: int, at: datetime) -> int:
    """Undo `delete_conversations`; returns how many came back.

    Raises:
        NotFound: the person deleted nothing at that moment, or it was removed since.
    """
    restored = selectors.deleted_at(user_id, at).update(deleted_at=None)
    if not restored:
        raise NotFound
    return restored


def _own(user_id: int, conversation_ids: Collection[UUID]) -> QuerySet[Conversation]:
    own = Conversation.objects.filter(user_id=user_id, pk__in=conversation_ids, deleted_at=None)
    if own.count() != len(set(conversation_ids)):
        raise NotFound
    return own
