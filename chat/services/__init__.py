"""Writes of conversations and images; each owns its transaction.

A question, its empty answer and the call's reservation are one transaction, so that nothing is ever half done.
"""

from chat.services.conversations import (
    LEASE,
    LONGEST_PROMPT,
    ask,
    ask_again,
    delete_conversation,
    end_abandoned_answers,
    finish_answer,
    rename_conversation,
    request_stop,
    restore_conversation,
    save_progress,
    title_of,
)
from chat.services.images import (
    LONGEST_IMAGE_PROMPT,
    MOST_IMAGES,
    claim_image_job,
    fail_image_job,
    finish_image_job,
    make_images,
    renew_image_job,
    tend_image_jobs,
)
from chat.services.retention import Purged, purge_texts

__all__ = [
    "LEASE",
    "LONGEST_IMAGE_PROMPT",
    "LONGEST_PROMPT",
    "MOST_IMAGES",
    "Purged",
    "ask",
    "ask_again",
    "claim_image_job",
    "delete_conversation",
    "end_abandoned_answers",
    "fail_image_job",
    "finish_answer",
    "finish_image_job",
    "make_images",
    "purge_texts",
    "rename_conversation",
    "renew_image_job",
    "request_stop",
    "restore_conversation",
    "save_progress",
    "tend_image_jobs",
    "title_of",
]
