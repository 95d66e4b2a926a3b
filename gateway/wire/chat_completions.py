"""POST /v1/chat/completions: from bytes to a Call. What is not on OpenAI's published list is refused by name."""

import re
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call
from gateway.wire.fields import (
    BOOLEAN,
    OBJECT,
    ExtraFields,
    Rule,
    check_fields,
    either,
    integer,
    list_of,
    name,
    number,
    one_of,
    read_request,
    text,
)

MOST_MESSAGES = 2000
_LONGEST = 10_000_000  # the body's own limit is what bounds texts
_ANY_TEXT = text(_LONGEST)
_LIST = Rule(_("a list"), lambda value: isinstance(value, list) and len(value) <= MOST_MESSAGES)

# Nobody here fetches an address: pictures, sounds and files travel inside the request (contract, AB14).
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+\Z")
_FILE = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=\s]+\Z")

_FIELDS = {
    "model": name(120),
    "messages": Rule(
        _("a list of messages"), lambda value: isinstance(value, list) and 0 < len(value) <= MOST_MESSAGES
    ),
    "audio": OBJECT,
    "frequency_penalty": number(-2, 2),
    "function_call": either(one_of("none", "auto"), OBJECT),
    "functions": list_of(OBJECT, 128),
    "logit_bias": OBJECT,
    "logprobs": BOOLEAN,
    "max_completion_tokens": integer(1, 10_000_000),
    "max_tokens": integer(1, 10_000_000),
    "metadata": OBJECT,
    "modalities": list_of(one_of("text", "audio"), 2),
    "moderation": OBJECT,
    "n": integer(1, 128),
    "parallel_tool_calls": BOOLEAN,
    "prediction": OBJECT,
    "presence_penalty": number(-2, 2),
    "prompt_cache_key": text(1024),
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": text(32),
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": OBJECT,
    "safety_identifier": text(1024),
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": text(32),
    "stop": either(text(1000), list_of(text(1000), 16)),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": number(0, 2),
    "tool_choice": either(one_of("none", "auto", "required"), OBJECT),
    "tools": list_of(OBJECT, 128),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": text(1024),
    "verbosity": one_of("low", "medium", "high"),
    "web_search_options": OBJECT,
}
# Understood and kept here: who asks, at what price, and what a provider may keep is the university's business.
_NOT_SENT = frozenset(
    {
        "model",
        "stream",
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "moderation",
    }
)
_MESSAGE = {
    "role": one_of("developer", "system", "user", "assistant", "tool", "function"),
    "content": either(_ANY_TEXT, _LIST),
    "name": text(256),
    "tool_calls": list_of(OBJECT, 128),
    "tool_call_id": text(256),
    "function_call": OBJECT,
    "refusal": _ANY_TEXT,
    "audio": OBJECT,
    "annotations": _LIST,
}
_PARTS: dict[str, dict[str, Rule]] = {
    "text": {"text": _ANY_TEXT},
    "refusal": {"refusal": _ANY_TEXT},
    "image_url": {"image_url": OBJECT},
    "input_audio": {"input_audio": OBJECT},
    "file": {"file": OBJECT},
}
_STREAM_OPTIONS = {"include_usage": BOOLEAN, "include_obfuscation": BOOLEAN}


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=("model", "messages"), extra_fields=extra_fields)
    body["messages"] = [
        _check_message(message, path=f"messages[{place}].") for place, message in enumerate(body["messages"])
    ]
    if "stream_options" in body:
        if not body.get("stream"):
            raise InvalidRequest(_("stream_options needs stream to be true."), param="stream_options")
        body["stream_options"] = check_fields(body["stream_options"], _STREAM_OPTIONS, path="stream_options.")
    for place, tool in enumerate(body.get("tools", [])):
        if tool.get("type") not in ("function", "custom"):
            raise InvalidRequest(_("Tools must be of type function or custom."), param=f"tools[{place}].type")
    return Call(
        id=call_id,
        operation=Operation.CHAT,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        stream=body.get("stream", False),
        count=body.get("n", 1),
        course_code=course_code,
    )


def _check_message(message: object, *, path: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise InvalidRequest(_("Every message must be an object with a role."), param=path.rstrip("."))
    checked = check_fields(message, _MESSAGE, required=("role",), path=path)
    if isinstance(checked.get("content"), list):
        for place, part in enumerate(checked["content"]):
            _check_part(part, path=f"{path}content[{place}].")
    checked.pop("annotations", None)  # clients send back what they received; providers do not take it
    if "content" not in checked and checked["role"] != "assistant":
        raise InvalidRequest(_("This message has no content."), param=f"{path}content")
    # An assistant's turn may hold nothing but tool calls, and says so with a null.
    return {"content": None, **checked}


def _check_part(part: object, *, path: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or kind not in _PARTS:
        raise _problem(
            _("A part of a message must be of type text, image_url, input_audio, file or refusal."), path, "type"
        )
    check_fields(part, {"type": _ANY_TEXT, **_PARTS[kind]}, required=tuple(_PARTS[kind]), path=path)
    if kind == "image_url":
        picture = check_fields(part[kind], {"url": _ANY_TEXT, "detail": text(16)}, path=f"{path}image_url.")
        if not _PICTURE.match(picture.get("url", "")):
            raise _problem(_("Pictures must be sent inside the request, as a data: URL."), path, "image_url.url")
    if kind == "file":
        file = check_fields(part[kind], {"filename": name(255), "file_data": _ANY_TEXT}, path=f"{path}file.")
        if not _FILE.match(file.get("file_data", "")):
            raise _problem(_("Files must be sent inside the request, as a data: URL."), path, "file.file_data")


def _problem(message: str | Promise, path: str, field: str) -> InvalidRequest:
    return InvalidRequest(message, param=path + field)
