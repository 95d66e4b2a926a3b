"""POST /v1/moderations: from bytes to a Call. It costs no prompt: the university wants it asked (D1)."""

from uuid import UUID

from core.types import Operation
from gateway.types import Call, ExtraFields
from gateway.wire.fields import (
    OBJECT,
    any_of,
    check_object,
    describe,
    describe_list,
    either,
    list_of,
    name,
    read_request,
    text,
)
from gateway.wire.parts import ANY_TEXT, PICTURE, check_part, describe_parts

USUAL_MODEL = "omni-moderation-latest"  # OpenAI's own default; clients leave it out
MOST_INPUTS = 32

_TEXTS, _OBJECTS = list_of(ANY_TEXT, MOST_INPUTS), list_of(OBJECT, MOST_INPUTS)
_FIELDS = {
    "model": name(120),
    "input": either(ANY_TEXT, _TEXTS, _OBJECTS),
    "user": text(1024),
}
_PARTS = {"text": {"text": ANY_TEXT}, "image_url": {"image_url": OBJECT}}
_IMAGE = {"url": PICTURE}
_REQUIRED = ("input",)
_NOT_SENT = frozenset({"model", "user"})
BODY = describe(
    _FIELDS,
    required=_REQUIRED,
    input=any_of(
        [
            ANY_TEXT.schema,
            _TEXTS.schema,
            describe_list(_OBJECTS, describe_parts(_PARTS, {"image_url": describe(_IMAGE, required=("url",))})),
        ]
    ),
)


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=_REQUIRED, extra_fields=extra_fields, usual_model=USUAL_MODEL)
    parts = body["input"] if isinstance(body["input"], list) else []
    for place, part in enumerate(part for part in parts if isinstance(part, dict)):
        path = f"input[{place}]."
        checked = check_part(part, _PARTS, path=path)
        if checked["type"] == "image_url":
            check_object(checked["image_url"], _IMAGE, required=("url",), path=f"{path}image_url.")
    return Call(
        id=call_id,
        operation=Operation.MODERATION,
        model=body.get("model", USUAL_MODEL),
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        course_code=course_code,
    )
