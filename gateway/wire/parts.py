"""What may travel inside a message. Pictures, sounds and files come along: nobody here fetches an address (AB14)."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gateway.wire.fields import (
    OBJECT,
    Rule,
    Schema,
    any_of,
    check_kind,
    check_object,
    describe,
    matching,
    name,
    one_of,
    text,
)

ANY_TEXT = text(10_000_000)  # the body's own limit is what bounds texts
DETAIL = one_of("auto", "low", "high", "original")
_COMES_ALONG = _("sent inside the request, as a data: URL")
_BASE64 = r"[A-Za-z0-9+/= \t\r\n]+"
PICTURE = matching(f"data:image/(?:png|jpeg|gif|webp);base64,{_BASE64}", _COMES_ALONG)
FILE = matching(f"data:[a-z]+/[a-z0-9.+-]+;base64,{_BASE64}", _COMES_ALONG)
_IMAGE = {"url": PICTURE, "detail": DETAIL}
_SOUND = {"data": ANY_TEXT, "format": one_of("wav", "mp3")}
_FILE = {"file_data": FILE, "filename": name(255)}
# What stands within a part, under the name of its kind.
WITHIN = {
    "image_url": describe(_IMAGE, required=("url",)),
    "input_audio": describe(_SOUND, required=tuple(_SOUND)),
    "file": describe(_FILE, required=("file_data",)),
}


def check_image(image: object, *, path: str) -> None:
    """Raises InvalidRequest unless `image` is a picture that came along."""
    check_object(image, _IMAGE, required=("url",), path=path)


def check_sound(sound: object, *, path: str) -> None:
    """Raises InvalidRequest unless `sound` is input audio that came along."""
    check_object(sound, _SOUND, required=tuple(_SOUND), path=path)


def check_file(file: object, *, path: str) -> None:
    """Raises InvalidRequest unless `file` came along; an id of one stored elsewhere is not known here."""
    check_object(file, _FILE, required=("file_data",), path=path)


def check_part(part: object, kinds: Mapping[str, Mapping[str, Rule]], *, path: str) -> dict[str, Any]:
    """A part of a message, of one of these kinds, whose first field is required.

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    kind = check_kind(part, kinds, path=path)["type"]
    rules = kinds[kind]
    return check_object(part, {"type": ANY_TEXT, **rules}, required=tuple(rules)[:1], path=path)


def describe_parts(kinds: Mapping[str, Mapping[str, Rule]], within: Mapping[str, Schema] = WITHIN) -> Schema:
    """What `check_part` takes, as JSON Schema.

    Args:
        within: what stands in an object of that name.
    """
    return any_of(
        describe(
            {"type": one_of(kind), **rules},
            required=("type", *tuple(rules)[:1]),
            **{field: within[field] for field, rule in rules.items() if rule is OBJECT},
        )
        for kind, rules in kinds.items()
    )
