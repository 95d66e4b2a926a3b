"""Texts and pictures go when their time is over (D15); the ledger, the usage records and the acknowledgments stay."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from chat.models import Attachment, Conversation, ImageJob, Picture
from chat.selectors import is_held
from chat.services.attachments import remove_files_of
from chat.services.holds import lock_holds
from chat.types import Progress
from core import clock

TEMPORARY_FOR = timedelta(hours=24)  # as the page says before the first prompt: templates/chat/_temporary_words.html
_AT_ONCE = 200  # rows a transaction deletes: short enough that nobody waits for it


@dataclass(frozen=True, slots=True)
class Purged:
    """How many conversations and image jobs went, or would go; and how many a hold keeps though their time is over."""

    conversations: int
    image_jobs: int
    held_conversations: int
    held_image_jobs: int


def purge_texts(*, dry_run: bool = False) -> Purged:
    """Remove what was kept long enough: RETENTION_DAYS after its course ended, without a course after its last use.

    Args:
        dry_run: only count what would go.
    """
    at = clock.now()
    conversations = Conversation.objects.filter(_is_over(at, last_use="updated_at") | _was_temporary(at))
    jobs = ImageJob.objects.filter(_is_over(at, last_use="created_at")).exclude(
        progress__in=(Progress.WAITING, Progress.RUNNING)
    )
    held = (conversations.filter(is_held()).count(), jobs.filter(is_held()).count())
    if dry_run:
        return Purged(conversations.exclude(is_held()).count(), jobs.exclude(is_held()).count(), *held)
    return Purged(_remove(conversations), _remove(jobs), *held)


def remove_temporary_chats() -> int:
    """Remove the temporary chats whose time is over; returns how many."""
    return _remove(Conversation.objects.filter(_was_temporary(clock.now())))


def _was_temporary(at: datetime) -> Q:
    return Q(is_temporary=True, created_at__lt=at - TEMPORARY_FOR)


def _is_over(at: datetime, *, last_use: str) -> Q:
    kept_since = at - timedelta(days=settings.RETENTION_DAYS)
    of_course = Q(course__ends_on__lt=clock.local_day(kept_since))
    return of_course | Q(**{"course": None, f"{last_use}__lt": kept_since})


def _remove(rows: models.QuerySet[Any]) -> int:
    """Remove the rows that no hold keeps."""
    removed = 0
    while ids := list(rows.exclude(is_held()).order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            lock_holds()  # one that is placed meanwhile waits, or is seen here
            ids = list(rows.exclude(is_held()).filter(pk__in=ids).values_list("pk", flat=True))
            if rows.model is ImageJob:
                _remove_files(Picture.objects.filter(job__in=ids))
            else:
                remove_files_of(Attachment.objects.filter(conversation__in=ids))
            rows.model._default_manager.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed


def _remove_files(pictures: models.QuerySet[Picture]) -> None:
    """Delete the files nobody else's picture shares: they are stored under their content's hash."""
    for picture in pictures:
        if not Picture.objects.filter(file=picture.file.name).exclude(job=picture.job_id).exists():
            transaction.on_commit(partial(picture.file.storage.delete, str(picture.file.name)))
