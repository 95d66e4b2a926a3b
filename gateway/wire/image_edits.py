"""POST /v1/images/edits: from a form with pictures to a Call. What a picture is, its bytes say, not its name (AB15)."""

import io
from typing import Any
from uuid import UUID

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call, Capability, Dialect, ExtraFields, Picture
from gateway.wire.fields import BOOLEAN, Rule, check_fields, integer, missing, name, one_of, text
from gateway.wire.images import PROMPT, SIZE, read_stream

MOST_PICTURES = 16
MOST_PIXELS = 40_000_000
# A telephone's JPEG may have further pictures behind its own (MPO), which nobody needs to look at.
_KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
_READ = ("PNG", "JPEG", "WEBP")
_PICTURES = ("image", "image[]")  # OpenAI's clients write a list in either way
_NUMBERS = ("n", "output_compression", "partial_images")
_BOOLEANS = {"true": True, "false": False}

_FIELDS: dict[str, Rule] = {
    "model": name(120),
    "prompt": PROMPT,
    "background": one_of("transparent", "opaque", "auto"),
    "complexity": one_of("low", "medium", "high"),
    "input_fidelity": one_of("low", "high"),
    "n": integer(1, 10),
    "output_compression": integer(0, 100),
    "output_format": one_of("png", "webp", "jpeg"),
    "partial_images": integer(0, 3),
    "quality": one_of("low", "medium", "high", "xhigh", "max", "auto", "standard"),
    "response_format": one_of("b64_json"),
    "safety_identifier": text(1024),
    "size": SIZE,
    "stream": BOOLEAN,
    "user": text(1024),
}
_REQUIRED = ("model", "prompt")
_NOT_SENT = frozenset({"model", "response_format", "safety_identifier", "stream", "user"})
_PICTURE = {"type": "string", "format": "binary", "description": "A PNG, JPEG or WebP picture."}
BODY = {
    "type": "object",
    "properties": {
        **{field: rule.schema for field, rule in _FIELDS.items()},
        "image": {"type": "array", "minItems": 1, "maxItems": MOST_PICTURES, "items": _PICTURE},
        "mask": _PICTURE,
    },
    "required": [*_REQUIRED, "image"],
    "additionalProperties": False,
}


class _InMemory(MemoryFileUploadHandler):
    """Keeps every file in memory: the body's own limit bounds them, and nothing is written to a disk."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True


def parse(raw: bytes, *, kind: str, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a form asks for.

    Args:
        kind: the request's Content-Type, with the boundary.

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    given, files = _read_form(raw, kind)
    also = extra_fields(given["model"]) if _FIELDS["model"].holds(given.get("model")) else ()
    body = check_fields(given, _FIELDS, required=_REQUIRED, also=also)
    stream = read_stream(body)
    pictures = [_read_picture(file, field=field) for field in _PICTURES for file in files.getlist(field)]
    if not pictures:
        raise missing("image")
    if len(pictures) > MOST_PICTURES:
        raise InvalidRequest(_("At most %(most)d pictures may be sent.") % {"most": MOST_PICTURES}, param="image")
    sent: dict[str, Any] = {field: value for field, value in body.items() if field not in _NOT_SENT}
    sent["image"] = pictures
    if "mask" in files:
        sent["mask"] = _read_picture(files.getlist("mask")[0], field="mask")
    return Call(
        id=call_id,
        operation=Operation.IMAGE,
        model=body["model"],
        body=sent,
        stream=stream,
        count=body.get("n", 1),
        course_code=course_code,
        spelled=Dialect.EDITS,
        needs={Capability.EDITS: "model", **({Capability.PARTIAL_IMAGES: "stream"} if stream else {})},
    )


def _read_form(raw: bytes, kind: str) -> tuple[dict[str, Any], "MultiValueDict[str, UploadedFile[Any]]"]:
    """The fields, what is no text as what it is, and the files of a form, only under names that are known."""
    if not kind.lower().startswith("multipart/form-data"):
        raise InvalidRequest(_("This route takes a form with files (multipart/form-data)."), param="Content-Type")
    head = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(raw))}
    try:
        fields, files = MultiPartParser(head, io.BytesIO(raw), [_InMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation, ValueError, TypeError) as error:  # the last two: odd headers
        raise InvalidRequest(_("The form could not be read.")) from error
    for unknown in files.keys() - {*_PICTURES, "mask"}:
        raise InvalidRequest(_("The field %(name)s is not known here.") % {"name": unknown[:60]}, param=unknown[:60])
    return {field: _as_value(field, value) for field, value in fields.items()}, files


def _as_value(field: str, value: object) -> object:
    """What a text of a form stands for."""
    if field == "stream":
        return _BOOLEANS.get(str(value), value)
    is_number = field in _NUMBERS and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9
    return int(str(value)) if is_number else value


def _read_picture(file: "UploadedFile[Any]", *, field: str) -> Picture:
    """The bytes of a PNG, JPEG or WebP of a sane size; its name stays behind."""
    data = file.read()
    try:
        with Image.open(io.BytesIO(data), formats=_READ) as picture:
            width, height = picture.size
            kind = _KINDS[str(picture.format)]
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidRequest(_("This is not a PNG, JPEG or WebP picture."), param=field) from error
    if width * height > MOST_PIXELS:
        raise InvalidRequest(
            _("A picture may have at most %(most)d megapixels.") % {"most": MOST_PIXELS // 1_000_000}, param=field
        )
    return Picture(data, kind)
