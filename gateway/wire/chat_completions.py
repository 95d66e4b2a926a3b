"""POST /v1/chat/completions: from bytes to a Call. What is not on OpenAI's published list is refused by name."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest
from core.types import Operation
from gateway.types import Call, Capability, ExtraFields
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
    missing,
    name,
    number,
    one_of,
    read_request,
    text,
)
from gateway.wire.parts import ANY_TEXT, check_file, check_image, check_part, check_sound, describe_parts

MOST_MESSAGES = 2000
MOST_TOOLS = 128
EFFORT = one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")
_LIST = list_of(ANYTHING, MOST_MESSAGES)
_CHOICE = one_of("none", "auto", "required")

_FIELDS = {
    "model": name(120),
    "messages": _LIST,
    "audio": OBJECT,
    "frequency_penalty": number(-2, 2),
    "function_call": either(one_of("none", "auto"), OBJECT),
    "functions": list_of(OBJECT, MOST_TOOLS),
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
    "reasoning_effort": EFFORT,
    "response_format": OBJECT,
    "safety_identifier": text(1024),
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": text(32),
    "stop": either(text(1000), list_of(text(1000), 16)),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": number(0, 2),
    "tool_choice": either(_CHOICE, OBJECT),
    "tools": list_of(OBJECT, MOST_TOOLS, least=0),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": text(1024),
    "verbosity": one_of("low", "medium", "high"),
}
_REQUIRED = ("model", "messages")
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
_STREAM_OPTIONS = {"include_usage": BOOLEAN, "include_obfuscation": BOOLEAN}
CACHE_OPTIONS = {"mode": one_of("implicit", "explicit"), "ttl": text(32)}
FORMAT_KINDS = one_of("text", "json_object", "json_schema")
SCHEMA = {"name": name(64), "schema": OBJECT, "strict": BOOLEAN, "description": ANY_TEXT}
NAMED = {"name": name(64)}
ALLOWED = {"mode": one_of("auto", "required"), "tools": list_of(ANYTHING, MOST_TOOLS)}
_FUNCTION = {**NAMED, "description": ANY_TEXT, "parameters": OBJECT}
FUNCTION = {**_FUNCTION, "strict": BOOLEAN}
CUSTOM = {**NAMED, "description": ANY_TEXT, "format": OBJECT}
INPUT_KINDS = one_of("text", "grammar")
GRAMMAR = {"definition": ANY_TEXT, "syntax": one_of("lark", "regex")}

_MESSAGE = {
    "role": one_of("developer", "system", "user", "assistant", "tool", "function"),
    "content": either(ANY_TEXT, _LIST),
    "name": text(256),
    "tool_calls": list_of(ANYTHING, MOST_TOOLS),
    "tool_call_id": name(256),
    "function_call": OBJECT,
    "refusal": ANY_TEXT,
    "audio": OBJECT,
    "annotations": list_of(ANYTHING, MOST_MESSAGES, least=0),
    "reasoning_content": ANY_TEXT,
    "reasoning": ANY_TEXT,
}
# Clients send back what they received. Most providers do not take it; whoever wants it, an administrator lets it pass.
_SENT_BACK = frozenset({"annotations", "reasoning_content", "reasoning"})
_ONLY_SAID = {"role", "content"}
_SPEAKERS = ("user", "assistant", "system", "developer")
_SAYS_SOMETHING = ("content", "tool_calls", "function_call", "refusal", "audio")
_PARTS: dict[str, dict[str, Rule]] = {
    "text": {"text": ANY_TEXT},
    "image_url": {"image_url": OBJECT},
    "input_audio": {"input_audio": OBJECT},
    "file": {"file": OBJECT},
    "refusal": {"refusal": ANY_TEXT},
}
_TOOL_CALLS = {
    "function": {"name": name(64), "arguments": ANY_TEXT},
    "custom": {"name": name(64), "input": ANY_TEXT},
}
# Of an earlier answer, beside its words.
_SAID_BEFORE = {"function_call": _TOOL_CALLS["function"], "audio": {"id": name(256)}}
_TOOLS = {"function": FUNCTION, "custom": CUSTOM}
_NAMED_TOOLS = {"function": NAMED, "custom": NAMED}
_CHOICES = {**_NAMED_TOOLS, "allowed_tools": ALLOWED}
_INPUT_FORMAT = {"type": INPUT_KINDS, "grammar": OBJECT}
_FORMAT = {"type": FORMAT_KINDS, "json_schema": OBJECT}
# What the fields that are objects may hold, and what they must.
_OPTIONS = {
    "audio": {"format": one_of("wav", "aac", "mp3", "flac", "opus", "pcm16"), "voice": name(64)},
    "function_call": NAMED,
    "prediction": {"type": one_of("content"), "content": either(ANY_TEXT, _LIST)},
    "prompt_cache_options": CACHE_OPTIONS,
    "response_format": _FORMAT,
}
_NEEDED = {
    "audio": ("format", "voice"),
    "function_call": ("name",),
    "prediction": ("type", "content"),
    "response_format": ("type",),
}
_LOOKED_INTO = frozenset({*_OPTIONS, "functions", "tool_choice", "tools"})
_CALL = {"id": name(256), "type": ANY_TEXT, "index": integer(0, MOST_TOOLS)}


def needed_of(rules: Collection[str]) -> tuple[str, ...]:
    """What must be said of a tool: its name; of what has none, everything."""
    return ("name",) if "name" in rules else tuple(rules)


def _describe_tools(kinds: Mapping[str, Mapping[str, Rule]], **inside: Schema) -> Schema:
    return any_of(
        describe(
            {"type": one_of(kind), kind: OBJECT},
            required=("type", kind),
            **{kind: describe(rules, required=needed_of(rules), **inside)},
        )
        for kind, rules in kinds.items()
    )


def _describe_tool_calls() -> Schema:
    return any_of(
        describe(
            {**_CALL, "type": one_of(kind), kind: OBJECT},
            required=("id", kind) if kind == "function" else ("id", "type", kind),
            **{kind: describe(rules, required=tuple(rules))},
        )
        for kind, rules in _TOOL_CALLS.items()
    )


def describe_formats(rules: Mapping[str, Rule], *, required: tuple[str, ...], **inside: Schema) -> Schema:
    """A form for the answer: JSON by a schema, which needs more fields, or another."""
    others = one_of("text", "json_object")
    return any_of(
        [
            describe({**rules, "type": one_of("json_schema")}, required=("type", *required), **inside),
            describe({**rules, "type": others}, required=("type",)),
        ]
    )


_INPUT_FORMAT_SCHEMA = describe(_INPUT_FORMAT, required=("type",), grammar=describe(GRAMMAR, required=tuple(GRAMMAR)))
_ALLOWED_SCHEMA = describe_list(ALLOWED["tools"], _describe_tools(_NAMED_TOOLS))
_SAID_PARTS = any_of([ANY_TEXT.schema, describe_list(_LIST, describe_parts({"text": _PARTS["text"]}))])
_SCHEMAS = {
    field: describe(rules, required=_NEEDED.get(field, ()), content=_SAID_PARTS) for field, rules in _OPTIONS.items()
}

BODY = describe(
    _FIELDS,
    required=_REQUIRED,
    **{
        **_SCHEMAS,
        "function_call": any_of([one_of("none", "auto").schema, _SCHEMAS["function_call"]]),
        "functions": describe_list(_FIELDS["functions"], describe(_FUNCTION, required=("name",))),
        "messages": describe_list(
            _LIST,
            describe(
                _MESSAGE,
                required=("role",),
                content=any_of([ANY_TEXT.schema, describe_list(_LIST, describe_parts(_PARTS))]),
                tool_calls=describe_list(_MESSAGE["tool_calls"], _describe_tool_calls()),
                **{field: describe(rules, required=tuple(rules)) for field, rules in _SAID_BEFORE.items()},
            ),
        ),
        "response_format": describe_formats(
            _FORMAT, required=("json_schema",), json_schema=describe(SCHEMA, required=("name",))
        ),
        "stream_options": describe(_STREAM_OPTIONS),
        "tool_choice": any_of([_CHOICE.schema, _describe_tools(_CHOICES, tools=_ALLOWED_SCHEMA)]),
        "tools": describe_list(_FIELDS["tools"], _describe_tools(_TOOLS, format=_INPUT_FORMAT_SCHEMA)),
    },
)


def parse(raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call:
    """The call that a body asks for (`extra_fields`: see fields.read_request).

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_request(raw, _FIELDS, required=_REQUIRED, extra_fields=extra_fields)
    wanted = partial(extra_fields, body["model"])
    body["messages"] = [
        message if _is_only_said(message) else _check_message(message, path=f"messages[{place}].", wanted=wanted)
        for place, message in enumerate(body["messages"])
    ]
    _check_options(body)
    return Call(
        id=call_id,
        operation=Operation.CHAT,
        model=body["model"],
        body={field: value for field, value in body.items() if field not in _NOT_SENT},
        stream=body.get("stream", False),
        count=body.get("n", 1),
        course_code=course_code,
        needs=_find_needs(body),
    )


def _check_options(body: dict[str, Any]) -> None:
    """The fields that make sense only beside another, and those to look into: most requests have none of them."""
    if "stream_options" in body:
        if not body.get("stream"):
            raise InvalidRequest(_("stream_options needs stream to be true."), param="stream_options")
        body["stream_options"] = check_fields(body["stream_options"], _STREAM_OPTIONS, path="stream_options.")
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise InvalidRequest(_("top_logprobs needs logprobs to be true."), param="top_logprobs")
    if not _LOOKED_INTO.isdisjoint(body):
        _look_into(body)


def _look_into(body: dict[str, Any]) -> None:
    for field, rules in _OPTIONS.items():
        if isinstance(body.get(field), dict):
            body[field] = check_fields(body[field], rules, required=_NEEDED.get(field, ()), path=f"{field}.")
    if isinstance(said := body.get("prediction", {}).get("content"), list):
        for place, part in enumerate(said):
            check_part(part, {"text": _PARTS["text"]}, path=f"prediction.content[{place}].")
    if body.get("response_format", {}).get("type") == "json_schema":
        schema = body["response_format"].get("json_schema")
        check_object(schema, SCHEMA, required=("name",), path="response_format.json_schema.")
    for place, function in enumerate(body.get("functions", [])):
        check_fields(function, _FUNCTION, required=("name",), path=f"functions[{place}].")
    if isinstance(body.get("tool_choice"), dict):
        _check_choice(body["tool_choice"])
    if "tools" in body:
        for place, tool in enumerate(body["tools"]):
            _check_tool(tool, _TOOLS, path=f"tools[{place}].")
        if not body["tools"]:
            del body["tools"]  # some clients write no tools as an empty list, which providers refuse


def _check_choice(choice: Mapping[str, Any]) -> None:
    told = _check_tool(choice, _CHOICES, path="tool_choice.")
    for place, tool in enumerate(told.get("tools", [])):
        _check_tool(tool, _NAMED_TOOLS, path=f"tool_choice.allowed_tools.tools[{place}].")


def _check_tool(tool: object, kinds: Mapping[str, Mapping[str, Rule]], *, path: str) -> dict[str, Any]:
    """What a tool, or a choice of some, says: `{"type": KIND, KIND: {…}}`."""
    checked = check_kind(tool, kinds, path=path)
    kind = checked["type"]
    check_fields(checked, {"type": ANY_TEXT, kind: OBJECT}, required=(kind,), path=path)
    path, rules = f"{path}{kind}.", kinds[kind]
    told = check_fields(checked[kind], rules, required=needed_of(rules), path=path)
    if "format" in told:
        form = check_fields(told["format"], _INPUT_FORMAT, required=("type",), path=f"{path}format.")
        if "grammar" in form:
            check_fields(form["grammar"], GRAMMAR, required=tuple(GRAMMAR), path=f"{path}format.grammar.")
    return told


def _check_message(message: object, *, path: str, wanted: Callable[[], Collection[str]]) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise InvalidRequest(_("Every message must be an object with a role."), param=path.rstrip("."))
    checked = check_fields(message, _MESSAGE, required=("role",), path=path)
    if isinstance(checked.get("content"), list):
        for place, part in enumerate(checked["content"]):
            _check_part(part, path=f"{path}content[{place}].")
    for place, call in enumerate(checked.get("tool_calls", [])):
        _check_tool_call(call, path=f"{path}tool_calls[{place}].")
    for field, rules in _SAID_BEFORE.items():
        if field in checked:
            check_fields(checked[field], rules, required=tuple(rules), path=f"{path}{field}.")
    _check_says_something(checked, path=path)
    kept = {field: value for field, value in checked.items() if field not in _SENT_BACK or field in wanted()}
    # An assistant's turn may hold nothing but tool calls, and says so with a null.
    return {"content": None, **kept}


def _is_only_said(message: object) -> bool:
    """Somebody's words and nothing else, as most messages are: there is nothing more to look into."""
    return (
        isinstance(message, dict)
        and message.keys() == _ONLY_SAID
        and message["role"] in _SPEAKERS
        and bool(message["content"])
        and ANY_TEXT.holds(message["content"])
    )


def _check_says_something(message: Mapping[str, Any], *, path: str) -> None:
    """A question must not be empty; an answer of a tool may be, and says to which call it belongs."""
    role = message["role"]
    if role == "tool" and "tool_call_id" not in message:
        raise missing(f"{path}tool_call_id")
    if role == "assistant":
        is_empty = not any(message.get(field) for field in _SAYS_SOMETHING)
    elif role == "user":
        is_empty = not message.get("content")
    else:
        is_empty = "content" not in message
    if is_empty:
        raise InvalidRequest(_("This message has no content."), param=f"{path}content")


def _check_tool_call(call: object, *, path: str) -> None:
    """One call of an earlier answer, as it was received."""
    checked = check_kind(call, _TOOL_CALLS, path=path, usual="function")
    kind = checked["type"]
    check_fields(checked, {**_CALL, kind: OBJECT}, required=("id", kind), path=path)
    check_fields(checked[kind], _TOOL_CALLS[kind], required=tuple(_TOOL_CALLS[kind]), path=f"{path}{kind}.")


def _check_part(part: object, *, path: str) -> None:
    checked = check_part(part, _PARTS, path=path)
    kind = checked["type"]
    value = checked[kind]
    if kind == "image_url":
        check_image(value, path=f"{path}image_url.")
    elif kind == "input_audio":
        check_sound(value, path=f"{path}input_audio.")
    elif kind == "file":
        check_file(value, path=f"{path}file.")


def _find_needs(body: Mapping[str, Any]) -> dict[Capability, str]:
    """What the model must be able to do for this, and the field that asks for it."""
    needs = {}
    for place, message in enumerate(body["messages"]):
        if isinstance(message["content"], list) and any(part["type"] == "image_url" for part in message["content"]):
            needs[Capability.VISION] = f"messages[{place}].content"
    if "tools" in body:
        needs[Capability.TOOLS] = "tools"
    if "response_format" in body and body["response_format"].get("type") == "json_schema":
        needs[Capability.JSON_SCHEMA] = "response_format"
    if body.get("reasoning_effort", "none") != "none":
        needs[Capability.REASONING] = "reasoning_effort"
    if body.get("logprobs"):
        needs[Capability.LOGPROBS] = "logprobs"
    return needs
