"""Answers in the dialect of /v1/responses: read from a provider that speaks it, or composed from a chat completion.

A chat completion is composed into the same events and the same final object as OpenAI's own, whether it came in pieces
or whole: the whole is one large piece. Nothing is stored: the object says so (`store` is false).
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import orjson

from core import clock
from gateway.errors import ContentFiltered, UpstreamError
from gateway.types import Call, Chunk
from gateway.upstreams.citing import flat
from gateway.upstreams.replies import ChatReader, Events, read_chat, read_object, read_totals, reported, thought_of

Event = dict[str, Any]
_Told = TypeVar("_Told", str, list[Any], dict[str, Any])
_ENDINGS = ("response.completed", "response.incomplete")
_CUT_OFF = {"length": "max_output_tokens", "content_filter": "content_filter"}
# What the final object repeats of the request, and what it says when the request said nothing.
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
}


class NativeReader:
    """A streamed answer of a provider that speaks this dialect, named `model`."""

    def __init__(self, *, model: str) -> None:
        self._model = model
        self._events = Events()
        self._is_done = self._has_content = False
        self._error: UpstreamError | None = None

    @property
    def is_over(self) -> bool:
        return self._is_done or self._error is not None

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        chunks = []
        try:
            for data in self._events.feed(piece):
                chunks.append(self._read(data))
                if self._is_done:
                    break
        except UpstreamError as error:
            self._error = error
        return chunks

    def finish(self) -> list[Chunk]:
        """Raises UpstreamError for an error inside the stream, nonsense, or an end without the last event."""
        chunks = self.feed(self._events.last_cut)
        if self._error is not None or not self._is_done:
            raise self._error or UpstreamError
        return chunks

    def _read(self, data: bytes) -> Chunk:
        event = read_object(data)
        kind, response, delta = event.get("type"), event.get("response"), event.get("delta")
        if not isinstance(kind, str):
            raise UpstreamError
        if kind in ("error", "response.failed"):
            raise reported(event if kind == "error" else _part(event, "response").get("error"))
        if isinstance(response, dict):
            event["response"] = {**response, "model": self._model}
        has_content = bool(delta) and kind.endswith(".delta")
        self._has_content = self._has_content or has_content
        self._is_done = kind in _ENDINGS
        if self._is_done:
            _check_not_empty(_part(event, "response"), has_content=self._has_content)
        return Chunk(
            data=orjson.dumps(event),
            text=delta if isinstance(delta, str) and has_content else "",
            has_content=has_content,
            totals=read_totals(response.get("usage")) if isinstance(response, dict) else None,
            event=kind,
        )


def read_response(body: bytes, *, model: str) -> Chunk:
    """A plain answer of a provider that speaks this dialect.

    Raises:
        UpstreamError: not the shape of a response, or one that failed.
    """
    response = read_object(body)
    if response.get("status") not in ("completed", "incomplete") or not isinstance(response.get("output"), list):
        raise UpstreamError
    _check_not_empty(response, has_content=bool(response["output"]))
    return Chunk(
        data=orjson.dumps({**response, "model": model}),
        text=_text_of(response),
        has_content=True,
        totals=read_totals(response.get("usage")),
    )


class TranslatingReader:
    """A streamed chat completion, handed on in this dialect."""

    def __init__(self, call: Call, *, model: str) -> None:
        self._chat = ChatReader(model=model, shows_usage=True, is_singly=True)
        self._composer = Composer(call, model=model)
        self._finish_reason = "stop"
        self._usage: Any = None
        self._error: UpstreamError | None = None

    @property
    def is_over(self) -> bool:
        return self._chat.is_over or self._error is not None

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        events: list[Chunk] = []
        try:
            for chunk in self._chat.feed(piece):
                events += self._translate(chunk)
        except UpstreamError as error:
            self._error = error
        return events

    def finish(self) -> list[Chunk]:
        """The events that end the answer; only a complete one gets any.

        Raises:
            UpstreamError: as ChatReader, or it held what cannot be told in this dialect.
        """
        if self._error is not None:
            raise self._error
        chunks = [event for chunk in self._chat.finish() for event in self._translate(chunk)]
        return chunks + [_chunk(event) for event in self._composer.end(self._finish_reason, self._usage)]

    def _translate(self, chunk: Chunk) -> list[Chunk]:
        if not chunk.data:
            return [chunk]
        event = orjson.loads(chunk.data)
        self._usage = event.get("usage") or self._usage
        self._finish_reason = chunk.finish_reason or self._finish_reason
        choice = event["choices"][0] if event["choices"] else {}
        events = list(self._composer.add(choice.get("delta") or {}, choice.get("logprobs")))
        if not events:
            return [chunk._replace(data=b"")] if chunk.totals else []
        # What the relay has to know of the piece goes with its last event.
        *earlier, last = events
        told = _chunk(last)._replace(text=chunk.text, has_content=chunk.has_content, totals=chunk.totals)
        return [*map(_chunk, earlier), told]


def translate_answer(body: bytes, call: Call, *, model: str) -> Chunk:
    """A plain chat completion, in this dialect.

    Raises:
        UpstreamError: not the shape of a chat completion, or with what cannot be told in this dialect.
    """
    chunk = read_chat(body, model=model)
    answer = orjson.loads(chunk.data)
    choice = answer["choices"][0]
    composer = Composer(call, model=model)
    for _event in composer.add(choice["message"], choice.get("logprobs")):
        pass
    *_events, last = composer.end(choice["finish_reason"], answer.get("usage"))
    return chunk._replace(data=orjson.dumps(last["response"]))


class Composer:
    """Composes one response, item by item, and the events that tell of it.

    A piece of text, of thought or of a tool's call opens its item if another, or none, is open; each item is closed
    when the next one opens, and at the end.
    """

    def __init__(self, call: Call, *, model: str) -> None:
        self._call_id = call.id.hex
        self._count = 0  # of events
        self._open: _Item | None = None
        self._is_begun = False
        self._output: list[Event] = []
        self._response: Event = {
            "id": f"resp_{self._call_id}",
            "object": "response",
            "created_at": int(clock.now().timestamp()),
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "metadata": {},
            "model": model,
            "output": self._output,
            "previous_response_id": None,
            "store": False,
            "usage": None,
            **{field: call.body.get(field, usual) for field, usual in _ECHOED.items()},
        }

    def add(self, delta: Mapping[str, Any], logprobs: Any = None) -> Iterator[Event]:
        """The events of one delta of a chat completion, or of its whole message.

        Raises:
            UpstreamError: something in it is not what it should be.
        """
        if not self._is_begun:
            self._is_begun = True
            yield self._event("response.created", response=self._snapshot())
            yield self._event("response.in_progress", response=self._snapshot())
        if thought := thought_of(delta):
            yield from self._extend(_Thought, "", thought)
        if said := _told(delta, "content", str):
            tokens = _told(logprobs, "content", list) if isinstance(logprobs, dict) else []
            yield from self._extend(_Said, "", said, tokens)
        if isinstance(delta.get("annotations"), list) and isinstance(self._open, _Said):
            yield from self._annotate(self._open, delta["annotations"])
        if refusal := _told(delta, "refusal", str):
            yield from self._extend(_Refused, "", refusal)
        for place, tool_call in enumerate(_told(delta, "tool_calls", list)):
            yield from self._add_tool_call(tool_call, place)

    def end(self, finish_reason: str, usage: Any) -> Iterator[Event]:
        """The last events: what is open is closed, and the whole is told once more."""
        yield from self._close("incomplete" if finish_reason in _CUT_OFF else "completed")
        reason = _CUT_OFF.get(finish_reason)
        self._response["status"] = "incomplete" if reason else "completed"
        self._response["incomplete_details"] = {"reason": reason} if reason else None
        self._response["completed_at"] = None if reason else int(clock.now().timestamp())
        self._response["usage"] = _usage(usage)
        yield self._event(f"response.{self._response['status']}", response=self._snapshot())

    def _add_tool_call(self, tool_call: object, place: int) -> Iterator[Event]:
        if not isinstance(tool_call, dict):
            raise UpstreamError
        kind = _CustomCall if tool_call.get("type") == "custom" or "custom" in tool_call else _FunctionCall
        told, index = _told(tool_call, kind.chat_name, dict), str(tool_call.get("index", place))
        if not isinstance(self._open, _ToolCall) or self._open.key != index:
            yield from self._close()
            opened = kind(self._next_id(kind), index)
            call_id = _told(tool_call, "id", str) or opened.item["id"]
            opened.item |= {"call_id": call_id, "name": _told(told, "name", str)}
            yield from self._open_item(opened)
        if piece := _told(told, kind.field, str):
            yield from self._grow(piece, [])

    def _extend(self, kind: "type[_Item]", key: str, piece: str, logprobs: list[Any] | None = None) -> Iterator[Event]:
        if type(self._open) is not kind:
            yield from self._close()
            yield from self._open_item(kind(self._next_id(kind), key))
        yield from self._grow(piece, logprobs or [])

    def _open_item(self, item: "_Item") -> Iterator[Event]:
        self._open = item
        self._output.append(item.item)
        yield self._event("response.output_item.added", output_index=self._place, item=dict(item.item))
        if item.part:
            yield self._of_item(
                "response.content_part.added", part={"type": item.part, **item.whole("")}, content_index=0
            )

    def _grow(self, piece: str, logprobs: list[Any]) -> Iterator[Event]:
        item = self._open
        if item is None:
            return
        item.pieces.append(piece)
        item.logprobs += logprobs
        more = {"logprobs": logprobs} if isinstance(item, _Said) else {}
        yield self._of_item(f"response.{item.event}.delta", delta=piece, **item.index, **more)

    def _annotate(self, item: "_Said", annotations: list[Any]) -> Iterator[Event]:
        """The pages named for what was said so far."""
        for told in filter(None, map(flat, annotations)):
            place = {**item.index, "annotation_index": len(item.annotations)}
            item.annotations.append(told)
            yield self._of_item("response.output_text.annotation.added", **place, annotation=told)

    def _close(self, status: str = "completed") -> Iterator[Event]:
        item, self._open = self._open, None
        if item is None:
            return
        text = "".join(item.pieces)
        whole = item.whole(text)
        item.close(text, status)
        self._open = item
        said = {item.field: text, **({"logprobs": item.logprobs} if isinstance(item, _Said) else {})}
        if isinstance(item, _ToolCall):
            said["name"] = item.item["name"]
        yield self._of_item(f"response.{item.event}.done", **item.index, **said)
        if item.part:
            yield self._of_item("response.content_part.done", part={"type": item.part, **whole}, content_index=0)
        yield self._event("response.output_item.done", output_index=self._place, item=dict(item.item))
        self._open = None

    def _of_item(self, kind: str, **fields: Any) -> Event:
        item_id = self._output[-1]["id"]
        return self._event(kind, item_id=item_id, output_index=self._place, **fields)

    def _event(self, kind: str, **fields: Any) -> Event:
        self._count += 1
        return {"type": kind, "sequence_number": self._count - 1, **fields}

    def _snapshot(self) -> Event:
        return {**self._response, "output": list(self._output)}

    @property
    def _place(self) -> int:
        return len(self._output) - 1

    def _next_id(self, kind: "type[_Item]") -> str:
        return f"{kind.prefix}_{self._call_id}{len(self._output):02d}"


class _Item:
    """One item of the output while it grows."""

    kind = "message"
    prefix = "msg"
    part = ""  # the type of its one content part; "" for none
    event = ""  # between "response." and ".delta"
    field = "text"

    def __init__(self, item_id: str, key: str) -> None:
        self.key = key
        self.pieces: list[str] = []
        self.logprobs: list[Any] = []
        self.item: Event = {"id": item_id, "type": self.kind, "status": "in_progress", **self.begin()}

    def begin(self) -> Event:
        """What the item holds from the first."""
        return {"role": "assistant", "content": []}

    def whole(self, text: str) -> Event:
        """The fields of its content part."""
        return {self.field: text}

    def close(self, text: str, status: str) -> None:
        """The item is complete."""
        self.item |= {"status": status, "content": [{"type": self.part, **self.whole(text)}]}

    @property
    def index(self) -> Event:
        """Where in the item a piece belongs."""
        return {"content_index": 0} if self.part else {}


class _Said(_Item):
    part = "output_text"
    event = "output_text"

    def __init__(self, item_id: str, key: str) -> None:
        super().__init__(item_id, key)
        self.annotations: list[Event] = []

    def whole(self, text: str) -> Event:
        return {"text": text, "annotations": list(self.annotations), "logprobs": list(self.logprobs)}


class _Refused(_Item):
    part = "refusal"
    event = "refusal"
    field = "refusal"


class _Thought(_Item):
    kind = "reasoning"
    prefix = "rs"
    part = "reasoning_text"
    event = "reasoning_text"

    def begin(self) -> Event:
        return {"summary": [], "content": []}


class _ToolCall(_Item):
    chat_name = "function"

    def begin(self) -> Event:
        return {"call_id": "", "name": "", self.field: ""}

    def close(self, text: str, status: str) -> None:
        self.item |= {"status": status, self.field: text}


class _FunctionCall(_ToolCall):
    kind = "function_call"
    prefix = "fc"
    event = "function_call_arguments"
    field = "arguments"


class _CustomCall(_ToolCall):
    kind = "custom_tool_call"
    prefix = "ctc"
    event = "custom_tool_call_input"
    field = "input"
    chat_name = "custom"


def _chunk(event: Event) -> Chunk:
    return Chunk(data=orjson.dumps(event), event=event["type"])


def _usage(usage: Any) -> Event | None:
    """A chat completion's usage in this dialect's words; None when it does not say."""
    totals = read_totals(usage)
    if totals is None or totals.input_tokens is None or totals.output_tokens is None:
        return None
    thought = _part(usage, "completion_tokens_details").get("reasoning_tokens")
    return {
        "input_tokens": totals.input_tokens,
        "input_tokens_details": {"cached_tokens": totals.cached_tokens},
        "output_tokens": totals.output_tokens,
        "output_tokens_details": {"reasoning_tokens": thought if type(thought) is int and thought > 0 else 0},
        "total_tokens": totals.input_tokens + totals.output_tokens,
    }


def _told(holder: Mapping[str, Any], field: str, kind: type[_Told]) -> _Told:
    """What a provider says there; what is empty where it says nothing.

    Raises:
        UpstreamError: it is of another kind.
    """
    value = holder.get(field) or kind()
    if not isinstance(value, kind):
        raise UpstreamError
    return value


def _part(event: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = event.get(field)
    return value if isinstance(value, dict) else {}


def _check_not_empty(response: Mapping[str, Any], *, has_content: bool) -> None:
    reason = _part(response, "incomplete_details").get("reason")
    if not has_content and reason != "max_output_tokens":
        raise ContentFiltered if reason == "content_filter" else UpstreamError


def _text_of(response: Mapping[str, Any]) -> str:
    items = [item for item in response["output"] if isinstance(item, dict)]
    parts = [part for item in items for part in _told(item, "content", list) if isinstance(part, dict)]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))
