"""What is sent to an OpenAI-compatible provider: the body of each dialect, within the model's own limits."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

import orjson

from gateway.types import Call, Capability, Dialect, Picture, ProviderKind, Target

Body = dict[str, Any]
_THEIR_OWN = (ProviderKind.OPENAI, ProviderKind.AZURE)


def write_body(target: Target, call: Call, path: Dialect) -> tuple[str, bytes]:
    """The Content-Type and the bytes of a call's body, under the provider's own name for the model."""
    body = _WRITERS[path](target, call)
    if path == Dialect.EDITS:
        return _write_form(body)
    return "application/json", orjson.dumps(body)


def path_of(target: Target, call: Call) -> Dialect:
    """In which dialect the provider is asked: the call's own, or chat for one that knows no responses."""
    own = call.dialect
    return Dialect.CHAT if own == Dialect.RESPONSES and not target.speaks_responses else own


def _write_chat(target: Target, call: Call) -> Body:
    body = {**call.body} if call.dialect == Dialect.CHAT else _translate(call.body)
    body["model"] = target.upstream_model
    if call.stream:
        body["stream"] = True
        body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    # OpenAI's newer models know only the newer name; many others know only the older one.
    newer, older = "max_completion_tokens", "max_tokens"
    asked = [most for most in (body.pop(newer, None), body.pop(older, None), target.max_output_tokens) if most]
    if asked:
        body[newer if target.kind in _THEIR_OWN else older] = min(asked)
    return body


def _write_responses(target: Target, call: Call) -> Body:
    body = {**call.body, "model": target.upstream_model, "store": False}
    if call.stream:
        body["stream"] = True
    asked = [most for most in (body.get("max_output_tokens"), target.max_output_tokens) if most]
    if asked:
        body["max_output_tokens"] = min(asked)
    return body


def _write_images(target: Target, call: Call) -> Body:
    body = {**call.body, "model": target.upstream_model}
    if call.stream:
        body["stream"] = True
    # The GPT-Image family answers Base64 only and refuses to be asked for it; all others must be asked. It alone shows
    # half-drawn pictures: that is how the catalog tells it where a deployment has another name.
    if "gpt-image" not in target.upstream_model and Capability.PARTIAL_IMAGES not in target.capabilities:
        body["response_format"] = "b64_json"
    return body


def _write_plain(target: Target, call: Call) -> Body:
    return {**call.body, "model": target.upstream_model}


_WRITERS: Mapping[Dialect, Callable[[Target, Call], Body]] = {
    Dialect.CHAT: _write_chat,
    Dialect.RESPONSES: _write_responses,
    Dialect.IMAGES: _write_images,
    Dialect.EDITS: _write_images,
    Dialect.EMBEDDINGS: _write_plain,
    Dialect.MODERATIONS: _write_plain,
}


def _write_form(body: Body) -> tuple[str, bytes]:
    """A form (RFC 7578): fields first, then the pictures, under names that say nothing."""
    boundary = uuid4().hex
    lines: list[bytes] = []

    def add(head: str, value: bytes) -> None:
        lines.extend([f"--{boundary}".encode(), head.encode(), b"", value])

    for field, value in body.items():
        pictures = value if isinstance(value, list) else [value]
        if not isinstance(pictures[0], Picture):
            text = value.encode() if isinstance(value, str) else orjson.dumps(value)
            add(f'Content-Disposition: form-data; name="{field}"', text)
            continue
        name = f"{field}[]" if len(pictures) > 1 else field
        for place, picture in enumerate(pictures):
            file = f"{field}-{place}.{picture.kind.removeprefix('image/')}"
            add(
                f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {picture.kind}',
                picture.data,
            )
    return f"multipart/form-data; boundary={boundary}", b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


# ---- a call to /v1/responses as a chat completion ---------------------------------------------------------------

# What is said in other words there, or cannot be said. Everything else is the same: what an administrator allows, too.
_SAID_OTHERWISE = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "reasoning",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "truncation",
    }
)


def _translate(body: Mapping[str, Any]) -> Body:
    """The chat completion that asks the same."""
    chat: Body = {name: value for name, value in body.items() if name not in _SAID_OTHERWISE}
    told = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    chat["messages"] = [*told, *_list_messages(body["input"])]
    if "max_output_tokens" in body:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if "effort" in body.get("reasoning", {}):
        chat["reasoning_effort"] = body["reasoning"]["effort"]
    if "verbosity" in body.get("text", {}):
        chat["verbosity"] = body["text"]["verbosity"]
    if form := body.get("text", {}).get("format"):
        kind = form["type"]
        schema = {name: value for name, value in form.items() if name != "type" and value is not None}
        chat["response_format"] = {"type": kind, kind: schema} if kind == "json_schema" else {"type": kind}
    if "tools" in body:
        chat["tools"] = [_nest(tool) for tool in body["tools"]]
    if "tool_choice" in body:
        choice = body["tool_choice"]
        chat["tool_choice"] = choice if isinstance(choice, str) else _nest(choice)
    if body.get("top_logprobs") or "message.output_text.logprobs" in body.get("include", ()):
        chat |= {"logprobs": True, "top_logprobs": body.get("top_logprobs", 0)}
    return chat


def _nest(tool: Mapping[str, Any]) -> Body:
    """`{"type": KIND, …}` as chat completions write it: `{"type": KIND, KIND: {…}}`."""
    kind = tool["type"]
    told = {name: value for name, value in tool.items() if name != "type" and value is not None}
    if kind == "allowed_tools":
        told["tools"] = [_nest(one) for one in told["tools"]]
    elif told.get("format", {}).get("type") == "grammar":
        told["format"] = _nest(told["format"])
    return {"type": kind, kind: told}


def _list_messages(given: str | list[Mapping[str, Any]]) -> list[Body]:
    """The turns; calls of tools that follow each other, and the words before them, are one turn of the assistant."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    messages: list[Body] = []
    for item in given:
        kind = item.get("type") or "message"
        if kind == "message":
            messages.append(_write_turn(item))
        elif kind in ("function_call", "custom_tool_call"):
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(_write_tool_call(item, kind))
        elif kind != "reasoning":
            content = _write_parts(item["output"])
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
    return messages


def _write_turn(item: Mapping[str, Any]) -> Body:
    role = "system" if item["role"] == "developer" else item["role"]
    return {"role": role, "content": _write_parts(item["content"])}


def _write_tool_call(item: Mapping[str, Any], kind: str) -> Body:
    if kind == "custom_tool_call":
        return {"id": item["call_id"], "type": "custom", "custom": {"name": item["name"], "input": item["input"]}}
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _write_parts(content: str | Iterable[Mapping[str, Any]]) -> str | list[Body]:
    """Content as chat completions write it; text alone as one text, which every provider understands."""
    if isinstance(content, str):
        return content
    parts = [_write_part(part) for part in content]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _write_part(part: Mapping[str, Any]) -> Body:
    kind = part["type"]
    if kind == "input_image":
        picture = {"url": part["image_url"], **({"detail": part["detail"]} if part.get("detail") else {})}
        return {"type": "image_url", "image_url": picture}
    if kind == "input_file":
        file = {name: part[name] for name in ("filename", "file_data") if part.get(name)}
        return {"type": "file", "file": file}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    return {"type": "text", "text": part.get("text") or part.get("refusal") or ""}
