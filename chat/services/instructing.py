"""What a person wishes of every answer; kept once, sent with every question unless a chat goes without."""

from uuid import UUID

from django.utils.translation import gettext as _

from chat import selectors
from chat.models import Conversation, Instructions
from chat.services.admitting import checked_text
from core import clock
from core.errors import InvalidRequest

LONGEST_INSTRUCTIONS = 1500  # characters: they are sent, and paid for, with every question


def keep_instructions(*, user_id: int, text: str, is_on: bool) -> None:
    """Keep a person's instructions; empty ones are removed.

    Raises:
        InvalidRequest: they are longer than LONGEST_INSTRUCTIONS.
    """
    if not text.strip():
        Instructions.objects.filter(pk=user_id).delete()
        return
    if len(text) > 2 * LONGEST_INSTRUCTIONS:
        raise InvalidRequest(_("These instructions are too long."), param="text")
    kept = checked_text(text, longest=LONGEST_INSTRUCTIONS)
    Instructions.objects.update_or_create(
        pk=user_id, defaults={"text": kept, "is_on": is_on, "updated_at": clock.now()}
    )


def switch_instructions(*, user_id: int, conversation_id: UUID, is_on: bool) -> Conversation:
    """Have a chat go with the person's instructions, or without, from the next question on.

    Raises:
        NotFound: it is not the person's.
    """
    conversation = selectors.access_conversation(user_id=user_id, conversation_id=conversation_id)
    conversation.is_plain = not is_on
    conversation.save(update_fields=["is_plain"])
    return conversation
