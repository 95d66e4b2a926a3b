"""What may travel inside a message. Pictures, sounds and files come along: nobody here fetches an address (AB14)."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gateway.wire.fields import Rule, check_kind, check_object, name, one_of, text

ANY_TEXT = text(10_000_000)  # the body's own limit is what bounds texts
DETAIL = one_of("auto", "low", "high", "original")
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+\Z")
_FILE = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=\s]+\Z")
_SOUND = {"data": ANY_TEXT, "format": one_of("wav", "mp3")}


def _matching(pattern: re.Pattern[str]) -> Rule:
    return Rule(
        _("sent inside the request, as a data: URL"),
        lambda value: isinstance(value, str) and bool(pattern.match(value)),
    )


PICTURE, FILE = _matching(_PICTURE), _matching(_FILE)


def check_sound(sound: object, *, path: str) -> None:
    """Raises InvalidRequest unless `sound` is input audio that came along."""
    check_object(sound, _SOUND, required=tuple(_SOUND), path=path)


def check_file(file: object, *, path: str) -> None:
    """Raises InvalidRequest unless `file` came along; an id of one stored elsewhere is not known here."""
    check_object(file, {"filename": name(255), "file_data": FILE}, required=("file_data",), path=path)


def check_part(part: object, kinds: Mapping[str, Mapping[str, Rule]], *, path: str) -> dict[str, Any]:
    """A part of a message, of one of these kinds, whose first field is required.

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    kind = check_kind(part, kinds, path=path)["type"]
    rules = kinds[kind]
    return check_object(part, {"type": ANY_TEXT, **rules}, required=tuple(rules)[:1], path=path)
