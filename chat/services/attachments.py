"""Files given with a question: read when they come, held until they are sent, gone with their conversation."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.utils.translation import gettext as _

from chat import selectors
from chat.models import Attachment, Message
from chat.reading import Reading, clean_name, read_file
from chat.types import FileKind
from core import clock
from core.errors import InvalidRequest, Refusal
from core.ids import new_id

# A picture takes about as much of what a model reads at once as a page and a half of words.
PICTURE_CHARACTERS = 4_000
PATIENCE = timedelta(days=1)  # how long a file waits to be sent
MOST_WAITING = 30  # files of one person, in all her tabs


def attach(*, user_id: int, name: str, data: bytes, reading: Reading | None = None) -> Attachment:
    """Take a file that will be sent with a question.

    Args:
        reading: what is in it, if somebody looked before.

    Raises:
        Refusal: files are switched off.
        InvalidRequest: it cannot be used, or too many wait already; the sentence says why and what to do.
    """
    check_room(user_id)
    reading = reading or read_file(data)
    attachment = Attachment(
        id=new_id(),
        user_id=user_id,
        kind=reading.kind,
        name=clean_name(name, reading.kind),
        size=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        characters=PICTURE_CHARACTERS if reading.kind == FileKind.PICTURE else len(reading.text),
        text=reading.text,
        is_cut=reading.is_cut,
        pages=reading.pages,
        width=reading.width,
        height=reading.height,
    )
    if reading.picture:
        # Under its own name, never under the person's; no two rows share a file.
        attachment.file = default_storage.save(f"attachments/{attachment.pk}.jpg", ContentFile(reading.picture))
    attachment.save()
    return attachment


def check_room(user_id: int) -> None:
    """Before a file is read: may there be one more?

    Raises:
        Refusal, InvalidRequest: files are switched off; too many of the person's wait.
    """
    check_allowed()
    if selectors.count_waiting(user_id) >= MOST_WAITING:
        raise InvalidRequest(_("Many files of yours wait to be sent already. Send or remove some first."), param="file")


def check_allowed() -> None:
    """Raises Refusal where files are switched off."""
    if not settings.ATTACHMENTS:
        raise Refusal(_("Files cannot be attached here."))


def remove_attachment(*, user_id: int, attachment_id: UUID) -> None:
    """Take back a file that has not been sent. Nothing if it is not there any more."""
    _remove(Attachment.objects.filter(pk=attachment_id, user_id=user_id, conversation=None))


def remove_forgotten_attachments() -> int:
    """Remove the files that nobody sent within PATIENCE; safe when several processes do it at once."""
    return _remove(Attachment.objects.filter(conversation=None, created_at__lt=clock.now() - PATIENCE))


def remove_files_of(attachments: models.QuerySet[Attachment]) -> None:
    """Delete the stored pictures of rows that are about to go, once they are gone."""
    for name in attachments.exclude(file="").values_list("file", flat=True):
        transaction.on_commit(partial(default_storage.delete, name))


# ---- what asking needs ------------------------------------------------------------------------------


def waiting_for(user_id: int, attachment_ids: Sequence[UUID]) -> list[Attachment]:
    """The person's files that wait under these ids.

    Raises:
        Refusal, InvalidRequest: files are switched off; there are too many; one is gone or was sent already.
    """
    if not attachment_ids:
        return []
    check_allowed()
    if len(attachment_ids) > settings.ATTACHMENTS:
        raise InvalidRequest(
            _("At most %(most)d files can go with one question.") % {"most": settings.ATTACHMENTS}, param="attachments"
        )
    found = selectors.list_waiting(user_id, attachment_ids)
    if len(found) < len(set(attachment_ids)):
        raise _gone()
    return found


def check_waiting(files: Sequence[Attachment]) -> None:
    """Inside the transaction that sends them: two tabs cannot send one file twice.

    Raises:
        InvalidRequest: one was sent or removed meanwhile.
    """
    if not files:
        return
    rows = Attachment.objects.select_for_update().filter(pk__in=[file.pk for file in files], conversation=None)
    if len(list(rows.values_list("pk", flat=True))) < len(files):
        raise _gone()


def check_readable(files: Sequence[Attachment], *, model: str, length: int, most: int, sees: bool) -> None:
    """Before anything is held: may this model be given these files?

    Args:
        length: characters of the question and its files; `most` the model is sent at once.

    Raises:
        InvalidRequest: it does not look at pictures, or cannot read so much.
    """
    if not sees and any(file.is_picture for file in files):
        raise InvalidRequest(
            _("This AI model does not look at pictures. Choose one that does, or remove the picture."), param="model"
        )
    if length > most:
        raise InvalidRequest(
            _(
                "Your question and its files have %(count)s characters; this AI model reads %(most)s at once. "
                "Choose another AI model, or attach less."
            )
            % {"count": length, "most": most},
            param="attachments",
        )


def give(files: Sequence[Attachment], question: Message) -> None:
    """Bind the files to a question, and to its conversation when they waited."""
    if not files:
        return
    waiting = Attachment.objects.filter(pk__in=[file.pk for file in files], conversation=None)
    waiting.update(conversation=question.conversation_id)
    question.attachments.add(*files)


def _remove(attachments: models.QuerySet[Attachment]) -> int:
    if not attachments.exists():
        return 0
    with transaction.atomic():
        # Whoever sends one of them now waits, and then finds it gone.
        ids = list(attachments.select_for_update().values_list("pk", flat=True))
        doomed = Attachment.objects.filter(pk__in=ids)
        remove_files_of(doomed)
        doomed.delete()
    return len(ids)


def _gone() -> InvalidRequest:
    return InvalidRequest(
        _("A file you attached is not there any more. Remove it and attach it again."), param="attachments"
    )
