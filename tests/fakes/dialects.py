"""A provider that is clever rather than broken: every dialect, tools, schemas, thoughts, and Azure's shape.

`scholar` does what it is asked in the way a model would, by rule: it calls the tools it is offered, fills the schema
it is given, and stops where it is told to.
"""

import asyncio
import base64
import json
import re
import struct
from collections.abc import Callable
from typing import Any

from tests.fakes.upstream import ANSWER, BEHAVIORS, SECRET, USAGE, WORDS, Behavior, Out
from tests.fakes.upstream import _answer as answer
from tests.fakes.upstream import _piece as piece
from tests.fakes.upstream import _png as png

DIALECTS: dict[str, Behavior] = dict(BEHAVIORS)
THOUGHT = "Let me think."
REASONED = {
    **USAGE,
    "completion_tokens_details": {"reasoning_tokens": 3},
    "prompt_tokens_details": {"cached_tokens": 2},
}
AZURE_SECRET = "azure-key"
AZURE_VERSION = "2026-10-21"


def _speaks(name: str) -> Callable[[Behavior], Behavior]:
    def keep(function: Behavior) -> Behavior:
        DIALECTS[name] = function
        return function

    return keep


async def _reply(out: Out, body: dict[str, Any], message: dict[str, Any], finish: str = "stop") -> None:
    """A chat answer with this message, in the form that was asked for; text comes in pieces of ten characters."""
    if not body.get("stream"):
        whole = answer(finish=finish, usage=REASONED)
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [_logprob(message.get("content") or "")]}
        await out.json(200, {**whole, "choices": [choice]})
        return
    await out.open_stream()
    await out.event(piece({"role": "assistant", "content": ""}))
    for name in ("reasoning_content", "content", "refusal"):
        for text in re.findall(r"(?s).{1,10}", message.get(name) or ""):
            event = piece({name: text})
            if body.get("logprobs"):
                event["choices"][0]["logprobs"] = {"content": [_logprob(text)]}
            await out.event(event)
    for index, call in enumerate(message.get("tool_calls", [])):
        arguments = call["function"]["arguments"]
        await out.event(
            piece({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
        )
        for text in re.findall(r"(?s).{1,10}", arguments):
            await out.event(piece({"tool_calls": [{"index": index, "function": {"arguments": text}}]}))
    await out.event(piece({}, finish))
    if body.get("stream_options", {}).get("include_usage"):
        await out.event({**piece({}), "choices": [], "usage": REASONED})
    await out.close_stream()


def _logprob(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []}


@_speaks("reasons")
async def _reasons(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _reply(out, body, {"reasoning_content": THOUGHT, "content": ANSWER})


CITED: list[dict[str, Any]] = [
    {
        "type": "url_citation",
        "url_citation": {"url": url, "title": title, "start_index": 0, "end_index": 4},
    }
    for url, title in (
        ("https://example.edu/tides", "Tides <b>of</b>\nthe sea"),
        ("javascript:alert(1)", "Press me"),
        ("https://example.edu/tides", "The same again"),
        ("https://me:secret@example.edu/", "With a password"),
        ("http://xn--e1afmkfd.example/", ""),
        ("https://example.edu/" + "x" * 3000, "Too long"),
    )
]


@_speaks("cites")
async def _cites(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Pages beside the words: with the last of them in a stream, and several that nobody should open."""
    if not body.get("stream"):
        await _reply(out, body, {"content": ANSWER, "annotations": CITED})
        return
    await out.open_stream()
    for word in WORDS:
        await out.event(piece({"content": word}))
    await out.event(piece({"annotations": CITED}))
    await out.event(piece({"annotations": "nonsense"}))
    await out.event(piece({}, "stop"))
    await out.close_stream()


@_speaks("refuses")
async def _refuses(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _reply(out, body, {"refusal": "I would rather not."})


@_speaks("too-long")
async def _too_long(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _reply(out, body, {"content": ANSWER}, "length")


@_speaks("scholar")
async def _scholar(out: Out, body: dict[str, Any], attempt: int) -> None:
    question = _last_question(body["messages"])
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if body.get("response_format", {}).get("type") == "json_object":
        names = re.findall(r"['`](\w+)['`]", question) or ["answer"]
        schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    called = _choose_tools(body, question)
    if called:
        await _reply(out, body, {"tool_calls": called}, "tool_calls")
    elif schema:
        await _reply(out, body, {"content": json.dumps(_fill(schema, question, schema))})
    else:
        stops = body.get("stop") or []
        text = f"{ANSWER}: {question} {_last_result(body['messages'])}".strip()
        for stop in [stops] if isinstance(stops, str) else stops:
            text = text.split(stop)[0]
        await _reply(out, body, {"content": text or "…"})


def _last_question(messages: list[dict[str, Any]]) -> str:
    content = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _last_result(messages: list[dict[str, Any]]) -> str:
    return str(messages[-1]["content"]) if messages[-1]["role"] == "tool" else ""


def _choose_tools(body: dict[str, Any], question: str) -> list[dict[str, Any]]:
    """The tool it must call, or the one the question names, once: what a tool answered is not asked again."""
    functions = [tool["function"] for tool in body.get("tools", [])]
    choice = body.get("tool_choice", "auto")
    if choice == "none" or not functions or body["messages"][-1]["role"] == "tool":
        return []
    if isinstance(choice, dict):
        named = choice["allowed_tools"]["tools"] if choice["type"] == "allowed_tools" else [choice]
        names = [tool["function"]["name"] for tool in named]
        functions = [function for function in functions if function["name"] in names]
    elif choice == "auto":
        functions = [function for function in functions if _is_meant(function["name"], question)]
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {
                "name": function["name"],
                "arguments": json.dumps(
                    _fill(function.get("parameters") or {"type": "object"}, question, function.get("parameters") or {}),
                    ensure_ascii=False,
                ),
            },
        }
        for number, function in enumerate(functions[:1])
    ]


def _is_meant(name: str, question: str) -> bool:
    words = re.findall(r"[a-z]+", name.lower())
    return name in question or any(word in question.lower() for word in words if len(word) > 3)


def _fill(schema: dict[str, Any], question: str, root: dict[str, Any]) -> Any:
    """A value of the schema, with the question's own number or words where it fits."""
    if "$ref" in schema:
        return _fill(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], question, root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", *schema.get("enum", [None])[:1])
    if "anyOf" in schema:
        return _fill(schema["anyOf"][0], question, root)
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _fill(field, question, root) for name, field in schema.get("properties", {}).items()}
    if kind == "array":
        return [_fill(schema.get("items", {"type": "string"}), question, root)]
    found = re.search(r"-?\d+", question)
    number = int(found[0]) if found else 7
    values: dict[str, Any] = {"integer": number, "number": number, "boolean": True, "null": None}
    return values.get(kind, question.split("?", maxsplit=1)[0])


# ---- embeddings, moderations, edits ------------------------------------------------------------------------------


@_speaks("embed-good")
async def _embed(out: Out, body: dict[str, Any], attempt: int) -> None:
    asked = body["input"]
    count = len(asked) if isinstance(asked, list) and not isinstance(asked[0], int) else 1
    vector: Any = [0.25, -0.5, 0.125]
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    await out.json(200, {"object": "list", "model": "provider-side-name", "data": data, "usage": usage})


@_speaks("embed-none")
async def _embed_none(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(200, {"object": "list", "data": []})


@_speaks("omni-moderation-latest")
async def _moderate(out: Out, body: dict[str, Any], attempt: int) -> None:
    scores = {"violence": 0.9 if "bomb" in json.dumps(body["input"]) else 0.1}
    flags = {name: score > 0.5 for name, score in scores.items()}
    result = {"flagged": any(flags.values()), "categories": flags, "category_scores": scores}
    await out.json(200, {"id": "modr-1", "model": "provider-side-name", "results": [result]})


@_speaks("image-edits")
async def _edit(out: Out, body: dict[str, Any], attempt: int) -> None:
    count = int(body.get("n", 1))
    usage = {"input_tokens": 50, "output_tokens": 100, "total_tokens": 150}
    await out.json(200, {"created": 1, "data": [{"b64_json": png()}] * count, "usage": usage})


# ---- pictures as they are drawn ------------------------------------------------------------------------------


async def _draw_slowly(out: Out, body: dict[str, Any], *, whole: int | None = None, pause: float = 0.0) -> None:
    """The pictures that were asked for, each half-drawn as often as was asked for, then whole; `whole` of them.

    Who sends a picture wants it changed, in a form, where each number is a text.
    """
    await out.open_stream()
    for number in range(int(body.get("n", 1)) if whole is None else max(whole, 1)):
        for partial in range(int(body.get("partial_images", 0))):
            await _named(out, body, "partial_image", b64_json=png(), partial_image_index=partial)
            await asyncio.sleep(pause)
        if whole is None or number < whole:
            usage = {"input_tokens": 50, "output_tokens": 100, "total_tokens": 150}
            await _named(out, body, "completed", b64_json=png(), usage=usage)


async def _named(out: Out, body: dict[str, Any], kind: str, **fields: Any) -> None:
    name = "image_edit" if "image" in body else "image_generation"
    event = {"type": f"{name}.{kind}", "created_at": 1, "size": "1024x1024", **fields}
    await out.raw(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


@_speaks("image-streams")
async def _image_streams(out: Out, body: dict[str, Any], attempt: int) -> None:
    if not body.get("stream"):
        await BEHAVIORS["image-good"](out, body, attempt)
        return
    await _draw_slowly(out, body)
    await out.close_stream(done=False)


@_speaks("image-stream-breaks")
async def _image_stream_breaks(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _draw_slowly(out, body, whole=0)
    await asyncio.sleep(0.05)
    await out.reset()


@_speaks("image-stream-ends-early")
async def _image_stream_ends_early(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _draw_slowly(out, body, whole=0)
    await out.close_stream(done=False)


@_speaks("image-stream-short")
async def _image_stream_short(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _draw_slowly(out, body, whole=int(body["n"]) - 1)
    await out.close_stream(done=False)


@_speaks("image-stream-garbage")
async def _image_stream_garbage(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await _named(out, body, "partial_image", b64_json="PHN2Zz4=")
    await out.close_stream(done=False)


# ---- several choices ---------------------------------------------------------------------------------------------


@_speaks("several")
async def _several(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _choose(out, body, ends=body["n"])


@_speaks("several-but-one-unfinished")
async def _several_but_one_unfinished(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _choose(out, body, ends=body["n"] - 1)


async def _choose(out: Out, body: dict[str, Any], *, ends: int) -> None:
    """As many choices as were asked for, word by word in turn; so many of them come to their end."""
    if not body.get("stream"):
        [choice] = answer()["choices"]
        choices = [{**choice, "index": index} for index in range(body["n"])]
        for unfinished in choices[ends:]:
            unfinished["finish_reason"] = None
        await out.json(200, {**answer(), "choices": choices})
        return
    await out.open_stream()
    for word in WORDS:
        for index in range(body["n"]):
            await out.event(_of_choice(index, {"content": word}))
    for index in range(ends):
        await out.event(_of_choice(index, {}, "stop"))
    await out.close_stream()


def _of_choice(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    event = piece(delta, finish)
    event["choices"][0]["index"] = index
    return event


# ---- a provider with /responses of its own -----------------------------------------------------------------------


def _response(status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "resp_theirs", "object": "response", "model": "provider-side-name", "created_at": 1, "status": status,
            "output": output, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], **more}  # fmt: skip


@_speaks("native")
async def _native(out: Out, body: dict[str, Any], attempt: int) -> None:
    tokens = [_logprob(word) for word in WORDS] if body.get("top_logprobs") else []
    part = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": tokens}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    whole = _response("completed", [item], usage=usage)
    if not body.get("stream"):
        await out.json(200, whole)
        return
    await out.open_stream()
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **place, "delta": word, "logprobs": tokens[number : number + 1]}
            for number, word in enumerate(WORDS)
        ),
        {"type": "response.output_text.done", **place, "text": ANSWER, "logprobs": tokens},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    for number, event in enumerate(events):
        await out.raw(f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode())
    await out.close_stream(done=False)


@_speaks("native-fails")
async def _native_fails(out: Out, body: dict[str, Any], attempt: int) -> None:
    error = {"code": "server_error", "message": SECRET}
    if not body.get("stream"):
        await out.json(200, _response("failed", [], error=error))
        return
    await out.open_stream()
    await out.event({"type": "response.failed", "response": _response("failed", [], error=error)})
    await out.close_stream(done=False)


@_speaks("native-odd")
async def _native_odd(out: Out, body: dict[str, Any], attempt: int) -> None:
    """A message whose content is of another kind than it should be."""
    await out.json(200, _response("completed", [{"type": "message", "id": "msg_1", "content": 5}]))


@_speaks("native-cut")
async def _native_cut(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    for word in WORDS:
        await out.event({"type": "response.output_text.delta", "delta": word})
    await out.close_stream(done=False)


# ---- Azure OpenAI: what its filter thinks comes first, and with every piece --------------------------------------

_SAFE = {"hate": {"filtered": False, "severity": "safe"}}
_PROMPT_FILTERS: list[dict[str, Any]] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
_PROMPT_FILTER: dict[str, Any] = {
    "id": "", "object": "", "created": 0, "model": "", "choices": [],
    "prompt_filter_results": _PROMPT_FILTERS,
}  # fmt: skip


@_speaks("azure-chat")
async def _azure(out: Out, body: dict[str, Any], attempt: int) -> None:
    if not body.get("stream"):
        whole = answer()
        whole["choices"][0]["content_filter_results"] = _SAFE
        await out.json(200, {**whole, "prompt_filter_results": _PROMPT_FILTERS})
        return
    await out.open_stream()
    await out.event(_PROMPT_FILTER)
    await out.event(piece({"role": "assistant", "content": ""}))
    for word in WORDS:
        event = piece({"content": word})
        event["choices"][0]["content_filter_results"] = _SAFE
        await out.event(event)
    await out.event(piece({}, "stop"))
    if body.get("stream_options", {}).get("include_usage"):
        await out.event({**piece({}), "choices": [], "usage": USAGE})
    await out.close_stream()


def _think_later(finish: str | None = None) -> dict[str, Any]:
    """What the asynchronous filter thinks of words that were sent before: a choice without a delta."""
    offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
    thought = {"index": 0, "finish_reason": finish, "content_filter_results": _SAFE, "content_filter_offsets": offsets}
    return {"id": "", "object": "", "created": 0, "model": "", "choices": [thought], "usage": None}


@_speaks("azure-asynchronous")
async def _azure_asynchronous(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Its filter holds no word up, and says what it thinks between them and after the end."""
    await out.open_stream()
    await out.event(_PROMPT_FILTER)
    await out.event(piece({"role": "assistant", "content": ""}))
    for word in WORDS:
        await out.event(piece({"content": word}))
        await out.event(_think_later())
    await out.event(piece({}, "stop"))
    await out.event(_think_later())
    if body.get("stream_options", {}).get("include_usage"):
        await out.event({**piece({}), "choices": [], "usage": USAGE})
    await out.close_stream()


@_speaks("azure-asynchronous-filtered")
async def _azure_asynchronous_filtered(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    for word in WORDS:
        await out.event(piece({"content": word}))
    await out.event(_think_later("content_filter"))
    await out.close_stream()


@_speaks("azure-filtered")
async def _azure_filtered(out: Out, body: dict[str, Any], attempt: int) -> None:
    error = {
        "message": SECRET, "type": None, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }  # fmt: skip
    await out.json(400, {"error": error})


@_speaks("azure-inner")
async def _azure_inner(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Some of its services name the filter only inside."""
    error = {"message": SECRET, "code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}
    await out.json(400, {"error": error})


@_speaks("azure-inside-another-code")
async def _azure_inside_another_code(out: Out, body: dict[str, Any], attempt: int) -> None:
    error = {"message": SECRET, "code": "400", "inner_error": {"code": "ResponsibleAIPolicyViolation"}}
    await out.json(400, {"error": error})


@_speaks("azure-pictures")
async def _azure_pictures(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(400, {"created": 1698435368, "error": {"code": "contentFilter", "message": SECRET}})


@_speaks("azure-busy")
async def _azure_busy(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(429, {"error": {"code": "429", "message": SECRET}}, "retry-after: 1", "retry-after-ms: 400")
