"""POST /v1/images/generations: from bytes to a Call."""

import re
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call, ExtraFields
from gateway.wire.fields import BOOLEAN, Rule, integer, name, one_of, read_request, text

LONGEST_PROMPT = 32_000
_SIZE = re.compile(r"(auto|[1-9]\d{1,3}x[1-9]\d{1,3})\Z")

PROMPT = Rule(
    _("a text of 1 to %d characters") % LONGEST_PROMPT,
    lambda value: isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_PROMPT,
)
SIZE = Rule(_("a size such as 1024x1024, or auto"), lambda value: isinstance(value, str) and bool(_SIZE.match(value)))

_FIELDS = {
    "model": name(120),
    "prompt": PROMPT,
    "background": one_of("transparent", "opaque", "auto"),
    "complexity": one_of("low", "medium", "high"),
    "moderation": one_of("low", "auto"),
    "n": integer(1, 10),
    "output_compression": integer(0, 100),
    "output_format": one_of("png", "webp", "jpeg"),
    "partial_images": integer(0, 0),
    "quality": one_of("low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"),
    "response_format": one_of("b64_json"),
    "safety_identifier": text(1024),
    "size": SIZE,
    "stream": BOOLEAN,
    "style": one_of("vivid", "natural"),
    "user": text(1024),
}
_NOT_SENT = frozenset({"model", "stream", "partial_images", "response_format", "safety_identifier", "user"})


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=("model", "prompt"), extra_fields=extra_fields)
    if body.get("stream"):
        raise InvalidRequest(_("Images are not streamed here. Leave out stream."), param="stream")
    return Call(
        id=call_id,
        operation=Operation.IMAGE,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        count=body.get("n", 1),
        course_code=course_code,
    )
