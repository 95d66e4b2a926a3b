"""POST /v1/embeddings: from bytes to a Call."""

from uuid import UUID

from core.types import Operation
from gateway.types import Call, ExtraFields
from gateway.wire.fields import describe, either, integer, list_of, name, one_of, read_request, text

MOST_INPUTS = 2048
_TEXT = text(10_000_000)
_TOKENS = list_of(integer(0, 10_000_000), 100_000)

_FIELDS = {
    "model": name(120),
    "input": either(_TEXT, list_of(_TEXT, MOST_INPUTS), _TOKENS, list_of(_TOKENS, MOST_INPUTS)),
    "dimensions": integer(1, 100_000),
    "encoding_format": one_of("float", "base64"),
    "user": text(1024),
}
_REQUIRED = ("model", "input")
_NOT_SENT = frozenset({"model", "user"})
BODY = describe(_FIELDS, required=_REQUIRED)


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=_REQUIRED, extra_fields=extra_fields)
    return Call(
        id=call_id,
        operation=Operation.EMBEDDING,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        course_code=course_code,
    )
