"""Reading what a provider answered, byte by byte, without believing any of it.

Complete and well-formed, or UpstreamError: a stream needs a finish reason and `[DONE]`, a plain answer the shape the
person's client will look for. Provider text inside errors is dropped.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

import orjson

from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamError
from gateway.types import Chunk, Citation
from gateway.upstreams.citing import citations_of
from usage.types import Totals, UsageSource

FILTER_CODES = frozenset(
    {
        "content_filter",
        "contentFilter",
        "content_policy_violation",
        "moderation_blocked",
        "ResponsibleAIPolicyViolation",
    }
)
_LONGEST_LINE = 1024 * 1024
_LONGEST_PICTURE = 27 * 1024 * 1024  # in Base64, as a plain answer may have
_MOST_TOKENS = 100_000_000
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a last \r waits for its \n
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]+')  # text that JSON writes as it is
_DATA, _END = b"data: ", b"\n\n"  # around the JSON of an event, as most providers write it
_AROUND = 2  # what stands before, and after
_MOST_PATTERNS = 8  # a provider that writes every event in another way is parsed
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_IMAGE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


class ChatReader:
    """A streamed chat answer of `count` choices, named `model`; usage is part of its chunks' data if `shows_usage`.

    Events of one read that differ in nothing but their texts are one chunk, unless it `is_singly` read.
    """

    def __init__(self, *, model: str, shows_usage: bool, count: int = 1, is_singly: bool = False) -> None:
        self._model, self._shows_usage, self._is_singly = model, shows_usage, is_singly
        self._is_many = count > 1
        self._has_ended: dict[str, bool] = {}  # of many, by the index of each that began
        self._events = Events()
        self._pattern: _Pattern | None = None
        self._patterns_left = _MOST_PATTERNS
        self._finish_reason: str | None = None
        self._has_content = False
        self._is_done = False
        self._error: UpstreamError | None = None

    @property
    def is_over(self) -> bool:
        return self._is_done or self._error is not None

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        chunks: list[Chunk] = []
        try:
            if self._pattern and not self._is_singly and self._events.is_between:
                run = self._pattern.read_run(piece)
                if run is not None:
                    return [run]
            for data in self._events.feed(piece):
                if data == b"[DONE]":
                    self._is_done = True
                    break
                chunks.append((self._pattern and self._pattern.read(data)) or self._read(data))
        except UpstreamError as error:
            self._error = error
        return chunks

    def finish(self) -> list[Chunk]:
        """The chunk of a last event whose end could not be told from a cut.

        Raises:
            UpstreamError: an error inside the stream, nonsense, or an end without a finish reason, of each choice that
                began, and `[DONE]`.
        """
        chunks = self.feed(self._events.last_cut)
        if self._error is not None:
            raise self._error
        if not self._is_done or self._finish_reason is None or not all(self._has_ended.values()):
            raise UpstreamError
        _check_not_empty(self._finish_reason, has_content=self._has_content)
        return chunks

    def _read(self, data: bytes) -> Chunk:
        event = read_object(data)
        chunk = _chunk_of(event, model=self._model, shows_usage=self._shows_usage)
        for choice in event["choices"] if self._is_many else ():
            index = str(choice.get("index"))
            self._has_ended[index] = bool(choice.get("finish_reason")) or self._has_ended.get(index, False)
        self._finish_reason = chunk.finish_reason or self._finish_reason
        self._has_content = self._has_content or chunk.has_content
        if self._patterns_left and _PLAIN.fullmatch(chunk.text.encode()):
            self._patterns_left -= 1
            self._pattern = _Pattern.of(data, chunk) or self._pattern
        return chunk


class ImageReader:
    """Streamed images: each half-drawn some times, then whole. What is whole is charged, and nothing else (C39)."""

    def __init__(self, *, name: str, count: int) -> None:
        """Args: `name` begins the names of the events; `count` is how many whole ones were asked for."""
        self._half_drawn, self._drawn = f"{name}.partial_image", f"{name}.completed"
        self._count = count
        self._events = Events(longest=_LONGEST_PICTURE)
        self._totals = Totals()
        self._is_done = False
        self._error: UpstreamError | None = None

    @property
    def is_over(self) -> bool:
        return self._is_done or self._error is not None

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        chunks: list[Chunk] = []
        try:
            for data in self._events.feed(piece):
                if self._is_done or data == b"[DONE]":
                    self._is_done = True
                    break
                chunks += self._read(data)
        except UpstreamError as error:
            self._error = error
        return chunks

    def finish(self) -> list[Chunk]:
        """The chunk of a last event whose end could not be told from a cut.

        Raises:
            UpstreamError: an error inside the stream, nonsense, or an end without a whole picture.
        """
        chunks = self.feed(self._events.last_cut)
        if self._error is not None or not self._totals.images:
            raise self._error or UpstreamError
        return chunks

    def _read(self, data: bytes) -> list[Chunk]:
        event = read_object(data)
        kind = event.get("type")
        if kind == "error":
            raise reported(event)
        if kind not in (self._half_drawn, self._drawn):
            return []  # what a provider says beside its pictures
        if not _is_image(event):
            raise UpstreamError
        told = orjson.dumps(event) if b"\n" in data else data
        if kind == self._half_drawn:
            return [Chunk(told, event=kind)]
        self._totals = self._with_one_more(read_totals(event.get("usage")))
        self._is_done = self._totals.images == self._count
        return [Chunk(told, has_content=True, totals=self._totals, finish_reason="stop", event=kind)]

    def _with_one_more(self, used: Totals | None) -> Totals:
        """What all whole pictures took so far; each says for itself, or none does."""
        before = self._totals
        if used is None:
            return replace(before, images=before.images + 1)
        heard = (before.input_tokens or 0) + (used.input_tokens or 0)
        said = (before.output_tokens or 0) + (used.output_tokens or 0)
        return replace(used, input_tokens=heard, output_tokens=said, images=before.images + 1)


class WholeReader:
    """A plain answer: read at its end, as one chunk."""

    def __init__(self, read: Callable[[bytes], Chunk]) -> None:
        self._read = read
        self._pieces: list[bytes] = []

    is_over = False

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        self._pieces.append(piece)
        return []

    def finish(self) -> list[Chunk]:
        """The one chunk.

        Raises:
            UpstreamError: the answer is not what was asked for.
        """
        return [self._read(b"".join(self._pieces))]


class _Pattern:
    """How a provider writes the events of one stream: what stands before and after each piece of text.

    The next event is then read by comparing, not by parsing: the same bytes around a text without quotes, escapes or
    control characters are the same JSON with another text.
    """

    def __init__(self, heard: tuple[bytes, bytes], said: tuple[bytes, bytes]) -> None:
        self._before, self._after = heard
        self._new_before, self._new_after = said
        self._least = len(self._before) + len(self._after)
        self._start, self._end = _DATA + self._before, self._after + _END
        self._seam = self._end + self._start
        self._new_seam = self._new_after + _END + _DATA + self._new_before

    @classmethod
    def of(cls, data: bytes, chunk: Chunk) -> "_Pattern | None":
        """The pattern of an event and of what was made of it; None when they hold more than one text."""
        text = chunk.text.encode()
        heard, said = data.split(b'"%b"' % text), chunk.data.split(b'"%b"' % text)
        if len(heard) != _AROUND or len(said) != _AROUND:
            return None
        is_content = heard[0].rstrip().endswith(b'"content":')
        if (
            not is_content
            or chunk.finish_reason
            or chunk.totals
            or chunk.thought
            or b'"annotations"' in data
            or len(_choices(orjson.loads(data))) != 1
        ):
            return None
        return cls((heard[0] + b'"', b'"' + heard[1]), (said[0] + b'"', b'"' + said[1]))

    def read(self, data: bytes) -> Chunk | None:
        """The chunk of an event that differs in nothing but its text; None for any other."""
        end = len(data) - len(self._after)
        if len(data) <= self._least or not (data.startswith(self._before) and data.endswith(self._after)):
            return None
        found = _PLAIN.fullmatch(data, len(self._before), end)
        if found is None:
            return None
        try:
            text = found[0].decode()
        except UnicodeDecodeError as error:
            raise UpstreamError from error
        return Chunk(self._new_before + found[0] + self._new_after, text, has_content=True)

    def read_run(self, piece: bytes) -> Chunk | None:
        """The events of a whole read as one chunk, if they differ in nothing but their texts; None for any other read.

        The more a read brings, the less each event of it costs.
        """
        if not (piece.startswith(self._start) and piece.endswith(self._end)):
            return None
        texts = piece[len(self._start) : -len(self._end)].split(self._seam)
        joined = b"".join(texts)
        if not (all(texts) and _PLAIN.fullmatch(joined)):
            return None  # there is something between them
        try:
            text = joined.decode()
        except UnicodeDecodeError as error:
            raise UpstreamError from error
        return Chunk(self._new_before + self._new_seam.join(texts) + self._new_after, text, has_content=True)


class Events:
    """The data of each server-sent event, wherever the bytes were cut (WHATWG HTML, section 9.2)."""

    def __init__(self, *, longest: int = _LONGEST_LINE) -> None:
        """Args: `longest` is how many bytes a line, or an event, may have."""
        self._longest = longest
        self._rest: list[bytes] = []  # of a line whose end has not come
        self._rest_size = 0
        self._data: list[bytes] = []  # of an event whose end has not come

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that this piece completes.

        Raises:
            UpstreamError: a line, or an event, longer than anyone needs.
        """
        if self.is_between and piece.endswith(_END) and b"\r" not in piece:
            events = piece.removesuffix(_END).split(_END)
            if all(event.startswith(_DATA) and b"\n" not in event for event in events):
                return [event.removeprefix(_DATA) for event in events]
        return self._read_lines(piece)

    @property
    def is_between(self) -> bool:
        """Whether nothing of an event is waiting for the rest of it."""
        return not self._rest and not self._data

    @property
    def last_cut(self) -> bytes:
        """What the end of all bytes stands for: after a lone return, which may have waited for it, the line's end."""
        return b"\n" if self._rest == [b"\r"] else b""

    def _read_lines(self, piece: bytes) -> list[bytes]:
        ends_with_return = bool(self._rest) and self._rest[-1].endswith(b"\r")
        if b"\n" not in piece and b"\r" not in piece and not ends_with_return:
            self._keep(piece)
            return []
        *lines, rest = _LINE_END.split(b"".join([*self._rest, piece]))
        self._rest, self._rest_size = [], 0
        self._keep(rest)
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                self._data = []
                continue
            name, _, value = line.removeprefix(_BYTE_ORDER_MARK).partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
        if sum(map(len, self._data)) > self._longest:
            raise UpstreamError
        return events

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._rest.append(rest)
            self._rest_size += len(rest)
        if self._rest_size > self._longest:
            raise UpstreamError


def read_chat(body: bytes, *, model: str) -> Chunk:
    """A plain chat answer as one chunk.

    Raises:
        UpstreamError: not the shape of a chat completion.
    """
    answer = read_object(body)
    choices = _choices(answer)
    reasons = [choice.get("finish_reason") for choice in choices]
    if set(map(type, reasons)) != {str}:
        raise UpstreamError
    totals = read_totals(answer.get("usage"))
    chunk = _gather(_renamed(body, answer, model), choices, "message", totals=totals, finish_reason=reasons[0])
    _check_not_empty(chunk.finish_reason, has_content=chunk.has_content)
    return chunk


def read_images(body: bytes, *, model: str) -> Chunk:
    """A plain answer with images as one chunk. Only Base64 is accepted: nobody here fetches an address.

    Raises:
        UpstreamError: no images, or something that is not a PNG, JPEG or WebP.
    """
    answer = read_object(body)
    images = answer.get("data")
    if not isinstance(images, list) or not images or not all(_is_image(image) for image in images):
        raise UpstreamError
    totals = read_totals(answer.get("usage")) or Totals()
    return Chunk(
        data=body,
        has_content=True,
        totals=replace(totals, images=len(images)),
        finish_reason="stop",
    )


def read_embeddings(body: bytes, *, model: str) -> Chunk:
    """An answer with vectors as one chunk.

    Raises:
        UpstreamError: no vectors.
    """
    answer = read_object(body)
    vectors = answer.get("data")
    if not isinstance(vectors, list) or not vectors or not all(_is_vector(vector) for vector in vectors):
        raise UpstreamError
    usage = answer.get("usage")
    totals = read_totals({"completion_tokens": 0, **usage}) if isinstance(usage, dict) else None
    return Chunk(data=_renamed(body, answer, model), has_content=True, totals=totals, finish_reason="stop")


def read_moderation(body: bytes, *, model: str) -> Chunk:
    """What a provider thinks of some texts and pictures, as one chunk.

    Raises:
        UpstreamError: it says nothing.
    """
    answer = read_object(body)
    results = answer.get("results")
    if not isinstance(results, list) or not results or not all(isinstance(result, dict) for result in results):
        raise UpstreamError
    return Chunk(data=_renamed(body, answer, model), has_content=True, finish_reason="stop")


def _chunk_of(event: dict[str, Any], *, model: str, shows_usage: bool) -> Chunk:
    choices = _choices(event)
    totals = read_totals(event.get("usage"))
    if not shows_usage:
        event.pop("usage", None)
    reasons = [reason for choice in choices if isinstance(reason := choice.get("finish_reason"), str)]
    mute = [choice for choice in choices if choice.get("delta") is None]
    for choice in mute:
        choice["delta"] = {}
    # Without a choice that says or ends something it is usage, or what a filter thinks of the prompt or of the answer:
    # clients look for choices[0] and its delta.
    is_shown = len(mute) < len(choices) or any(reasons) or (totals is not None and shows_usage)
    data = orjson.dumps({**event, "model": model}) if is_shown else b""
    return _gather(data, choices, "delta", totals=totals, finish_reason=reasons[0] if reasons else None)


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object that is not an error."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamError from error
    if not isinstance(value, dict):
        raise UpstreamError
    if value.get("error"):
        raise reported(value["error"])
    return value


def reported(error: object) -> UpstreamError:
    """An error the provider wrote into an answer with status 200."""
    code = code_of(error)
    if code in FILTER_CODES:
        return ContentFiltered()
    return UpstreamBusy() if code in ("429", "rate_limit_exceeded") else UpstreamError()


def code_of(error: object) -> str:
    """The code of a provider's error, "" without one. A filter's comes first: Azure may name it inside alone."""
    if not isinstance(error, dict):
        return ""
    tellers = (error, error.get("innererror"), error.get("inner_error"))  # Azure spells it in both ways
    codes = [teller.get("code") for teller in tellers if isinstance(teller, dict)]
    told = [str(code) for code in codes if code and isinstance(code, str | int)]
    return next((code for code in told if code in FILTER_CODES), told[0] if told else "")


def _renamed(body: bytes, answer: Mapping[str, Any], model: str) -> bytes:
    """The answer under the catalog's name: the provider's own bytes where that is its name for the model, too."""
    return body if answer.get("model") == model else orjson.dumps({**answer, "model": model})


def _choices(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = event.get("choices")
    if not isinstance(choices, list) or not set(map(type, choices)) <= {dict}:
        raise UpstreamError
    return choices


def _gather(
    data: bytes,
    choices: Iterable[Mapping[str, Any]],
    name: str,
    *,
    totals: Totals | None,
    finish_reason: str | None,
) -> Chunk:
    """The chunk with what all choices say together, each in its `name`."""
    text, has_content, thought = "", False, ""
    citations: tuple[Citation, ...] = ()
    for choice in choices:
        said = choice.get(name)
        if not isinstance(said, dict):
            raise UpstreamError
        text += _text(said)
        has_content = has_content or bool(text) or _carries(said)
        thought += thought_of(said)
        citations += citations_of(said)
    return Chunk(data, text, has_content, totals, finish_reason, thought=thought, citations=citations)


def _carries(delta: Mapping[str, Any]) -> bool:
    """Whether there is anything beside the role that a person could use: text, a tool call, a refusal."""
    return any(map(delta.get, delta.keys() - {"role"}))


def _text(delta: Mapping[str, Any]) -> str:
    value = delta.get("content") or delta.get("refusal") or ""
    if not isinstance(value, str):
        raise UpstreamError
    return value


def thought_of(delta: Mapping[str, Any]) -> str:
    """What a delta, or a whole message, says of the model's way to its answer, under either of its two names."""
    value = delta.get("reasoning_content") or delta.get("reasoning")
    return value if isinstance(value, str) else ""


def _check_not_empty(finish_reason: str | None, *, has_content: bool) -> None:
    """An answer without content is a failure, unless the model spent all its tokens before saying anything (length)."""
    if has_content or finish_reason == "length":
        return
    raise ContentFiltered if finish_reason == "content_filter" else UpstreamError


def read_totals(usage: object) -> Totals | None:
    """The provider's totals under either of OpenAI's two spellings; None when absent or absurd."""
    if not isinstance(usage, dict):
        return None
    heard = usage.get("prompt_tokens", usage.get("input_tokens"))
    said = usage.get("completion_tokens", usage.get("output_tokens"))
    if not (_is_count(heard) and _is_count(said)):
        return None
    return Totals(heard, said, _read_cached(usage, most=heard), source=UsageSource.REPORTED)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


def _read_cached(usage: Mapping[str, Any], *, most: int) -> int:
    """How much of the input the provider had cached, as far as it says so and can be believed."""
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return cached if type(cached) is int and 0 <= cached <= most else 0


def _is_vector(vector: object) -> bool:
    """Numbers, or their bytes in Base64."""
    return isinstance(vector, dict) and isinstance(vector.get("embedding"), list | str) and bool(vector["embedding"])


def _is_image(image: object) -> bool:
    encoded = image.get("b64_json") if isinstance(image, dict) else None
    if not isinstance(encoded, str):
        return False
    try:
        return base64.b64decode(encoded[:64], validate=True).startswith(_IMAGE_STARTS)
    except ValueError:
        return False
