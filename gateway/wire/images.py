"""POST /v1/images/generations: from bytes to a Call."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call, Capability, ExtraFields
from gateway.wire.fields import BOOLEAN, Rule, describe, integer, matching, name, one_of, read_request, text

LONGEST_PROMPT = 32_000

PROMPT = Rule(
    _("a text of 1 to %d characters") % LONGEST_PROMPT,
    lambda value: isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_PROMPT,
    {"type": "string", "maxLength": LONGEST_PROMPT, "pattern": r"[^\s\u0085\u001c-\u001f]"},
)
SIZE = matching("auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3}", _("a size such as 1024x1024, or auto"))

_FIELDS = {
    "model": name(120),
    "prompt": PROMPT,
    "background": one_of("transparent", "opaque", "auto"),
    "complexity": one_of("low", "medium", "high"),
    "moderation": one_of("low", "auto"),
    "n": integer(1, 10),
    "output_compression": integer(0, 100),
    "output_format": one_of("png", "webp", "jpeg"),
    "partial_images": integer(0, 3),
    "quality": one_of("low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"),
    "response_format": one_of("b64_json"),
    "safety_identifier": text(1024),
    "size": SIZE,
    "stream": BOOLEAN,
    "style": one_of("vivid", "natural"),
    "user": text(1024),
}
_REQUIRED = ("model", "prompt")
_NOT_SENT = frozenset({"model", "stream", "response_format", "safety_identifier", "user"})
BODY = describe(_FIELDS, required=_REQUIRED)


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=_REQUIRED, extra_fields=extra_fields)
    stream = read_stream(body)
    return Call(
        id=call_id,
        operation=Operation.IMAGE,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        stream=stream,
        count=body.get("n", 1),
        course_code=course_code,
        needs={Capability.PARTIAL_IMAGES: "stream"} if stream else {},
    )


def read_stream(body: dict[str, Any]) -> bool:
    """Whether the pictures are to come as they are drawn; if not, `partial_images` is taken out of the fields.

    Raises:
        InvalidRequest: half-drawn ones are wanted, and no stream.
    """
    stream = bool(body.get("stream"))
    if not stream and body.pop("partial_images", 0):
        raise InvalidRequest(_("Half-drawn pictures come in a stream alone. Set stream."), param="partial_images")
    return stream
