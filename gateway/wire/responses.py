"""POST /v1/responses: from bytes to a Call in OpenAI's newer dialect.

Nothing is stored here between two calls, so whatever would need a store is refused by name: an earlier answer, a
conversation, an item or a file by its id, a call in the background. Tools that run at the provider are refused too.
"""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call, Capability, Dialect, ExtraFields
from gateway.wire.chat_completions import (
    ALLOWED,
    CACHE_OPTIONS,
    CUSTOM,
    EFFORT,
    FORMAT_KINDS,
    FUNCTION,
    GRAMMAR,
    INPUT_KINDS,
    MOST_MESSAGES,
    MOST_TOOLS,
    NAMED,
    SCHEMA,
    describe_formats,
    needed_of,
)
from gateway.wire.fields import (
    ANYTHING,
    BOOLEAN,
    OBJECT,
    Rule,
    Schema,
    any_of,
    check_fields,
    check_kind,
    check_object,
    describe,
    describe_list,
    either,
    integer,
    list_of,
    name,
    number,
    one_of,
    read_request,
    text,
)
from gateway.wire.parts import ANY_TEXT, DETAIL, FILE, PICTURE, check_part, check_sound, describe_parts

_A_TEXT = Rule(_("a text"), lambda value: isinstance(value, str) and bool(value), {"type": "string", "minLength": 1})
_LIST = list_of(ANYTHING, MOST_MESSAGES)
_ANY_LIST = list_of(ANYTHING, MOST_MESSAGES, least=0)
_OBJECTS = list_of(OBJECT, MOST_MESSAGES, least=0)
_CHOICE = one_of("none", "auto", "required")
_ONLY_FALSE = {"type": "boolean", "const": False}
_FALSE = Rule("false", lambda value: value is False, _ONLY_FALSE)
_NOTHING = Rule(
    _("left out: nothing is stored here, so send the conversation with each request"),
    lambda value: False,
    {"type": "null"},
)

_FIELDS = {
    "model": name(120),
    "input": either(_A_TEXT, _LIST),
    "background": _FALSE,
    "conversation": _NOTHING,
    "include": list_of(one_of("reasoning.encrypted_content", "message.output_text.logprobs"), 8, least=0),
    "instructions": ANY_TEXT,
    "max_output_tokens": integer(1, 10_000_000),
    "max_tool_calls": integer(1, 10_000),
    "metadata": OBJECT,
    "parallel_tool_calls": BOOLEAN,
    "previous_response_id": _NOTHING,
    "prompt": _NOTHING,
    "prompt_cache_key": text(1024),
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": text(32),
    "reasoning": OBJECT,
    "safety_identifier": text(1024),
    "service_tier": text(32),
    "store": Rule(_("false: nothing is stored here"), lambda value: value is False, _ONLY_FALSE),
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": number(0, 2),
    "text": OBJECT,
    "tool_choice": either(_CHOICE, OBJECT),
    "tools": list_of(ANYTHING, MOST_TOOLS, least=0),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "truncation": one_of("auto", "disabled"),
    "user": text(1024),
}
_REQUIRED = ("model", "input")
# Kept here, as for chat completions; `store` is said anew for every provider that speaks this dialect.
_NOT_SENT = frozenset(
    {"model", "stream", "user", "safety_identifier", "metadata", "store", "service_tier", "prompt_cache_key"}
)
_STREAM_OPTIONS = {"include_obfuscation": BOOLEAN}
_REASONING = {
    "effort": EFFORT,
    "summary": one_of("auto", "concise", "detailed"),
    "generate_summary": one_of("auto", "concise", "detailed"),
}
_FORMAT = {"type": FORMAT_KINDS, **SCHEMA}
_FORMAT_NEEDS = ("name", "schema")
_TEXT = {"format": OBJECT, "verbosity": one_of("low", "medium", "high")}
_TOOLS = {"function": FUNCTION, "custom": CUSTOM}
_NAMED_TOOLS = {"function": NAMED, "custom": NAMED}
_CHOICES = {**_NAMED_TOOLS, "allowed_tools": ALLOWED}
_INPUT_FORMAT = {"type": INPUT_KINDS, **GRAMMAR}

_ROLE = one_of("user", "assistant", "system", "developer")
_STATUS = one_of("in_progress", "completed", "incomplete")
_COMMON = {"type": ANY_TEXT, "id": name(256), "status": _STATUS}
_CALL_ID = name(256)
_OUTPUT = either(ANY_TEXT, _ANY_LIST)
_ITEMS: dict[str, dict[str, Rule]] = {
    "message": {"role": _ROLE, "content": either(ANY_TEXT, _ANY_LIST), "phase": text(32)},
    "function_call": {"call_id": _CALL_ID, "name": name(64), "arguments": ANY_TEXT, "namespace": text(256)},
    "function_call_output": {"call_id": _CALL_ID, "output": _OUTPUT},
    "custom_tool_call": {"call_id": _CALL_ID, "name": name(64), "input": ANY_TEXT, "namespace": text(256)},
    "custom_tool_call_output": {"call_id": _CALL_ID, "output": _OUTPUT},
    "reasoning": {"summary": _OBJECTS, "content": _OBJECTS, "encrypted_content": ANY_TEXT},
}
_OPTIONAL = frozenset({"phase", "namespace", "content", "encrypted_content"})
_PARTS: dict[str, dict[str, Rule]] = {
    "input_text": {"text": ANY_TEXT},
    "output_text": {"text": ANY_TEXT, "annotations": _ANY_LIST, "logprobs": _ANY_LIST},
    "refusal": {"refusal": ANY_TEXT},
    "input_image": {"image_url": PICTURE, "detail": DETAIL},
    "input_file": {"file_data": FILE, "filename": name(255)},
    "input_audio": {"input_audio": OBJECT},
}


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=_REQUIRED, extra_fields=extra_fields)
    if isinstance(body["input"], list):
        for place, item in enumerate(body["input"]):
            _check_item(item, path=f"input[{place}].")
    _check_options(body)
    return Call(
        id=call_id,
        operation=Operation.CHAT,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        stream=body.get("stream", False),
        course_code=course_code,
        spelled=Dialect.RESPONSES,
        needs=_find_needs(body),
    )


def _check_options(body: dict[str, Any]) -> None:
    if "stream_options" in body:
        if not body.get("stream"):
            raise InvalidRequest(_("stream_options needs stream to be true."), param="stream_options")
        check_fields(body["stream_options"], _STREAM_OPTIONS, path="stream_options.")
    if "reasoning" in body:
        body["reasoning"] = check_fields(body["reasoning"], _REASONING, path="reasoning.")
    if "prompt_cache_options" in body:
        check_fields(body["prompt_cache_options"], CACHE_OPTIONS, path="prompt_cache_options.")
    if "text" in body:
        body["text"] = check_fields(body["text"], _TEXT, path="text.")
        form = body["text"].get("format")
        if form is not None:
            needed = ("type", *_FORMAT_NEEDS) if form.get("type") == "json_schema" else ("type",)
            check_fields(form, _FORMAT, required=needed, path="text.format.")
    for place, tool in enumerate(body.get("tools", [])):
        _check_tool(tool, _TOOLS, path=f"tools[{place}].")
    if isinstance(body.get("tool_choice"), dict):
        chosen = _check_tool(body["tool_choice"], _CHOICES, path="tool_choice.")
        for place, tool in enumerate(chosen.get("tools", [])):
            _check_tool(tool, _NAMED_TOOLS, path=f"tool_choice.tools[{place}].")
    if not body.get("tools", True):
        del body["tools"]


def _check_tool(value: object, kinds: dict[str, dict[str, Rule]], *, path: str) -> dict[str, Any]:
    """What a tool, or a choice of some, says: `{"type": KIND, …}`."""
    rules = kinds[check_kind(value, kinds, path=path)["type"]]
    told = check_object(value, {"type": ANY_TEXT, **rules}, required=needed_of(rules), path=path)
    if "format" in told:
        check_fields(told["format"], _INPUT_FORMAT, required=("type",), path=f"{path}format.")
    return told


def _check_item(item: object, *, path: str) -> None:
    """One turn, one call of a tool, what a tool answered, or what the model thought."""
    checked = check_kind(item, _ITEMS, path=path, usual="message")
    kind = checked["type"]
    rules = _ITEMS[kind]
    check_fields(checked, {**_COMMON, **rules}, required=_needed(kind), path=path)
    for field in ("content", "output"):
        if kind != "reasoning" and isinstance(checked.get(field), list):
            _check_parts(checked[field], path=f"{path}{field}")


def _needed(kind: str) -> list[str]:
    """The fields without which an item of that kind says nothing."""
    return [field for field in _ITEMS[kind] if field not in _OPTIONAL or (kind, field) == ("message", "content")]


def _check_parts(parts: list[Any], *, path: str) -> None:
    for place, part in enumerate(parts):
        checked = check_part(part, _PARTS, path=f"{path}[{place}].")
        if checked["type"] == "input_audio":
            check_sound(checked["input_audio"], path=f"{path}[{place}].input_audio.")


def _find_needs(body: dict[str, Any]) -> dict[Capability, str]:
    """What the model must be able to do for this, and the field that asks for it."""
    needs = {}
    for place, item in enumerate(body["input"] if isinstance(body["input"], list) else []):
        contents = item.get("content") or item.get("output")
        if isinstance(contents, list) and any(part.get("type") == "input_image" for part in contents):
            needs[Capability.VISION] = f"input[{place}].content"
    if "tools" in body:
        needs[Capability.TOOLS] = "tools"
    if body.get("text", {}).get("format", {}).get("type") == "json_schema":
        needs[Capability.JSON_SCHEMA] = "text.format"
    if body.get("reasoning", {}).get("effort", "none") != "none":
        needs[Capability.REASONING] = "reasoning"
    if body.get("top_logprobs") or "message.output_text.logprobs" in body.get("include", []):
        needs[Capability.LOGPROBS] = "top_logprobs"
    return needs


def _describe_items() -> Schema:
    parts = any_of([ANY_TEXT.schema, describe_list(_ANY_LIST, describe_parts(_PARTS))])
    return any_of(
        describe(
            {**_COMMON, **rules, "type": one_of(kind)},
            required=_needed(kind) if kind == "message" else ["type", *_needed(kind)],
            **{field: parts for field in ("content", "output") if kind != "reasoning"},
        )
        for kind, rules in _ITEMS.items()
    )


def _describe_tools(kinds: dict[str, dict[str, Rule]], **inside: Schema) -> Schema:
    return any_of(
        describe({"type": one_of(kind), **rules}, required=("type", *needed_of(rules)), **inside)
        for kind, rules in kinds.items()
    )


BODY = describe(
    _FIELDS,
    required=_REQUIRED,
    input=any_of([_A_TEXT.schema, describe_list(_LIST, _describe_items())]),
    prompt_cache_options=describe(CACHE_OPTIONS),
    reasoning=describe(_REASONING),
    stream_options=describe(_STREAM_OPTIONS),
    text=describe(_TEXT, format=any_of([describe_formats(_FORMAT, required=_FORMAT_NEEDS), {"type": "null"}])),
    tool_choice=any_of(
        [
            _CHOICE.schema,
            _describe_tools(_CHOICES, tools=describe_list(ALLOWED["tools"], _describe_tools(_NAMED_TOOLS))),
        ]
    ),
    tools=describe_list(_FIELDS["tools"], _describe_tools(_TOOLS, format=describe(_INPUT_FORMAT, required=("type",)))),
)
