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
    pin_conversation,
    rename_conversation,
    request_stop,
    restore_conversation,
    save_progress,
    show_branch,
    title_of,
)
from chat.services.images import (
    LONGEST_DESCRIPTION,
    LONGEST_IMAGE_PROMPT,
    MOST_IMAGES,
    claim_image_job,
    describe_picture,
    end_stopped_image_job,
    fail_image_job,
    finish_image_job,
    keep_preview,
    make_images,
    renew_image_job,
    stop_image_job,
    tend_image_jobs,
)
from chat.services.links import close_answer_link, open_answer_link, revoke_shared_chat, share_conversation
from chat.services.retention import Purged, purge_texts

__all__ = [
    "LEASE",
    "LONGEST_DESCRIPTION",
    "LONGEST_IMAGE_PROMPT",
    "LONGEST_PROMPT",
    "MOST_IMAGES",
    "Purged",
    "ask",
    "ask_again",
    "claim_image_job",
    "close_answer_link",
    "delete_conversation",
    "describe_picture",
    "end_abandoned_answers",
    "end_stopped_image_job",
    "fail_image_job",
    "finish_answer",
    "finish_image_job",
    "keep_preview",
    "make_images",
    "open_answer_link",
    "pin_conversation",
    "purge_texts",
    "rename_conversation",
    "renew_image_job",
    "request_stop",
    "restore_conversation",
    "revoke_shared_chat",
    "save_progress",
    "share_conversation",
    "show_branch",
    "stop_image_job",
    "tend_image_jobs",
    "title_of",
]
