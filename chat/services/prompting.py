"""Saved prompts: each on one shelf, by one command. What teachers and administrators change is in the audit log."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.services import differences, record
from chat import selectors
from chat.models import SavedPrompt
from chat.services.admitting import printable
from chat.types import VARIABLE, PromptWording, Shelf
from core import clock
from core.text import one_line

LONGEST_SAVED_PROMPT = 4000  # characters
MOST_SAVED_PROMPTS = 50  # on one shelf: all of them come with the menu
MOST_STARTERS = 6  # in one language: the empty page stays one
_MOST_VARIABLES = 8
_COMMAND = re.compile(r"[\w-]+")


def create_prompt(*, shelf: Shelf, **wording: Unpack[PromptWording]) -> SavedPrompt:
    """Keep a new prompt.

    Raises:
        ValidationError: by field; or the shelf is full.
    """
    if selectors.on_shelf(shelf).count() >= MOST_SAVED_PROMPTS:
        raise ValidationError(
            _("There are %(most)d prompts here already. Remove one first.") % {"most": MOST_SAVED_PROMPTS}
        )
    prompt = SavedPrompt(owner_id=shelf.owner_id, course_id=shelf.course_id)
    return _keep("create", shelf, prompt, wording)


def update_prompt(*, shelf: Shelf, prompt_id: UUID, **wording: Unpack[PromptWording]) -> SavedPrompt:
    """Change a prompt; what was put into boxes and chats before stays there.

    Raises:
        NotFound: it is not on this shelf.
        ValidationError: by field.
    """
    return _keep("change", shelf, selectors.access_prompt(shelf=shelf, prompt_id=prompt_id), wording)


@transaction.atomic
def remove_prompt(*, shelf: Shelf, prompt_id: UUID) -> None:
    """Offer a prompt no more.

    Raises:
        NotFound: it is not on this shelf.
    """
    prompt = selectors.access_prompt(shelf=shelf, prompt_id=prompt_id)
    _record("remove", shelf, prompt, {})
    prompt.delete()


def _keep(act: str, shelf: Shelf, prompt: SavedPrompt, wording: PromptWording) -> SavedPrompt:
    columns = _checked(shelf, prompt, wording)
    before = {} if act == "create" else {name: getattr(prompt, name) for name in columns}
    for name, value in columns.items():
        setattr(prompt, name, value)
    prompt.updated_at = clock.now()
    prompt.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            prompt.save()
            _record(act, shelf, prompt, differences(before, columns))
    except IntegrityError as error:  # two at the same moment
        raise ValidationError({"command": _taken(prompt.command)}) from error
    return prompt


def _checked(shelf: Shelf, prompt: SavedPrompt, wording: PromptWording) -> dict[str, Any]:
    """The columns, as they are kept; what is wrong with them, by field."""
    command = unicodedata.normalize("NFKC", wording.get("command", "")).strip().lstrip("/").lower()
    text = printable(wording.get("text", ""))
    language = wording.get("language", "") if shelf.is_everyones else ""
    is_starter = wording.get("is_starter", False) if shelf.is_everyones else False
    others = selectors.on_shelf(shelf).exclude(pk=prompt.pk)
    beside = others.filter(language__in=["", language]) if language else others
    problems = {}
    if not _COMMAND.fullmatch(command):
        problems["command"] = _("A command is one word of letters, digits and hyphens, such as “explain”.")
    elif beside.filter(command=command).exists():
        problems["command"] = _taken(command)
    if len(text) > LONGEST_SAVED_PROMPT:
        problems["text"] = _("This text has %(count)s characters; %(most)s is the most.") % {
            "count": len(text),
            "most": LONGEST_SAVED_PROMPT,
        }
    elif len(set(VARIABLE.findall(text))) > _MOST_VARIABLES:
        problems["text"] = _("A prompt may ask for at most %(most)d things in {{ }}.") % {"most": _MOST_VARIABLES}
    if is_starter and beside.filter(is_starter=True).count() >= MOST_STARTERS:
        problems["is_starter"] = _("The empty page offers %(most)d already. Take one of them from it first.") % {
            "most": MOST_STARTERS
        }
    if problems:
        raise ValidationError(problems)
    return {
        "title": one_line(wording.get("title", "")),
        "command": command,
        "text": text,
        "language": language,
        "is_starter": is_starter,
    }


def _taken(command: str) -> str:
    return _("There is /%(command)s here already. Choose another word.") % {"command": command}


def _record(act: str, shelf: Shelf, prompt: SavedPrompt, changes: Mapping[str, Any]) -> None:
    """One's own prompts are nobody's business."""
    if shelf.owner_id is None:
        name = f"{prompt.course.code} {prompt}" if prompt.course else str(prompt)
        record(f"prompt.{act}", subject=f"prompt/{prompt.pk}", name=name, changes=changes)
