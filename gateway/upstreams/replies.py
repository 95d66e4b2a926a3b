"""Reading what a provider answered, byte by byte, without believing any of it.

Complete and well-formed, or UpstreamError: a stream needs a finish reason and `[DONE]`, a plain answer the shape the
person's client will look for. Provider text inside errors is dropped.
"""

import base64
import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import orjson

from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamError
from gateway.types import Chunk
from usage.types import Totals, UsageSource

FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation"}
)
_LONGEST_LINE = 1024 * 1024
_MOST_TOKENS = 100_000_000
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a last \r waits for its \n
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_IMAGE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


async def bounded(pieces: AsyncIterator[bytes], *, most: int) -> AsyncIterator[bytes]:
    """The same pieces, as long as they sum to at most `most` bytes.

    Raises:
        UpstreamError: they sum to more.
    """
    total = 0
    async for piece in pieces:
        total += len(piece)
        if total > most:
            raise UpstreamError
        yield piece


async def read_stream(pieces: AsyncIterator[bytes], *, model: str, shows_usage: bool) -> AsyncGenerator[Chunk, None]:
    """The chunks of a streamed chat answer, named `model`; usage is part of their data if `shows_usage`.

    Raises:
        UpstreamError: an error inside the stream, nonsense, or an end without a finish reason and `[DONE]`.
    """
    finish_reason, has_content = None, False
    async for data in _read_events(pieces):
        if data == b"[DONE]":
            if finish_reason is None:
                break
            _check_not_empty(finish_reason, has_content=has_content)
            return
        chunk = _read_chunk(data, model=model, shows_usage=shows_usage)
        finish_reason = chunk.finish_reason or finish_reason
        has_content = has_content or chunk.has_content
        yield chunk
    raise UpstreamError


def read_chat(body: bytes, *, model: str) -> Chunk:
    """A plain chat answer as one chunk.

    Raises:
        UpstreamError: not the shape of a chat completion.
    """
    answer = _read_object(body)
    messages = [_mapping(choice, "message") for choice in _choices(answer)]
    reasons = [choice.get("finish_reason") for choice in _choices(answer)]
    if not messages or not all(isinstance(reason, str) for reason in reasons):
        raise UpstreamError
    has_content = any(_carries(message) for message in messages)
    _check_not_empty(reasons[0], has_content=has_content)
    return Chunk(
        data=orjson.dumps({**answer, "model": model}),
        text="".join(_text(message) for message in messages),
        has_content=has_content,
        totals=_read_totals(answer.get("usage")),
        finish_reason=reasons[0],
    )


def read_images(body: bytes, *, model: str) -> Chunk:
    """A plain answer with images as one chunk. Only Base64 is accepted: nobody here fetches an address.

    Raises:
        UpstreamError: no images, or something that is not a PNG, JPEG or WebP.
    """
    answer = _read_object(body)
    images = answer.get("data")
    if not isinstance(images, list) or not images or not all(_is_image(image) for image in images):
        raise UpstreamError
    totals = _read_totals(answer.get("usage")) or Totals()
    return Chunk(
        data=orjson.dumps(answer),
        has_content=True,
        totals=Totals(totals.input_tokens, totals.output_tokens, images=len(images), source=totals.source),
        finish_reason="stop",
    )


async def _read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each server-sent event, wherever the bytes were cut (WHATWG HTML, section 9.2)."""
    rest = b""
    data: list[bytes] = []
    async for piece in pieces:
        *lines, rest = _LINE_END.split(rest + piece)
        if len(rest) > _LONGEST_LINE:
            raise UpstreamError
        for line in lines:
            if not line:
                if data:
                    yield b"\n".join(data)
                data = []
                continue
            name, _, value = line.removeprefix(_BYTE_ORDER_MARK).partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
        if sum(map(len, data)) > _LONGEST_LINE:
            raise UpstreamError


def _read_chunk(data: bytes, *, model: str, shows_usage: bool) -> Chunk:
    event = _read_object(data)
    choices = _choices(event)
    deltas = [_mapping(choice, "delta") for choice in choices]
    totals = _read_totals(event.get("usage"))
    if not shows_usage:
        event.pop("usage", None)
    is_only_usage = not choices and totals is not None
    return Chunk(
        data=b"" if is_only_usage and not shows_usage else orjson.dumps({**event, "model": model}),
        text="".join(_text(delta) for delta in deltas),
        has_content=any(_carries(delta) for delta in deltas),
        totals=totals,
        finish_reason=next(
            (reason for choice in choices if isinstance(reason := choice.get("finish_reason"), str)), None
        ),
    )


def _read_object(data: bytes) -> dict[str, Any]:
    """A JSON object that is not an error."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamError from error
    if not isinstance(value, dict):
        raise UpstreamError
    if value.get("error"):
        raise _reported(value["error"])
    return value


def _reported(error: object) -> UpstreamError:
    """An error the provider wrote into an answer with status 200."""
    code = error.get("code") if isinstance(error, dict) else None
    if code in FILTER_CODES:
        return ContentFiltered()
    return UpstreamBusy() if code in (429, "429", "rate_limit_exceeded") else UpstreamError()


def _choices(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = event.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise UpstreamError
    return choices


def _mapping(choice: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = choice.get(name)
    if not isinstance(value, dict):
        raise UpstreamError
    return value


def _carries(delta: Mapping[str, Any]) -> bool:
    """Whether there is anything beside the role that a person could use: text, a tool call, a refusal."""
    return any(value for name, value in delta.items() if name != "role")


def _text(delta: Mapping[str, Any]) -> str:
    value = delta.get("content") or delta.get("refusal") or ""
    if not isinstance(value, str):
        raise UpstreamError
    return value


def _check_not_empty(finish_reason: str | None, *, has_content: bool) -> None:
    """An answer without content is a failure, unless the model spent all its tokens before saying anything (length)."""
    if has_content or finish_reason == "length":
        return
    raise ContentFiltered if finish_reason == "content_filter" else UpstreamError


def _read_totals(usage: object) -> Totals | None:
    """The provider's totals under either of OpenAI's two spellings; None when absent or absurd."""
    if not isinstance(usage, dict):
        return None
    counts = [
        usage.get(f"{old}_tokens", usage.get(f"{new}_tokens"))
        for old, new in (("prompt", "input"), ("completion", "output"))
    ]
    if not all(type(count) is int and 0 <= count <= _MOST_TOKENS for count in counts):
        return None
    return Totals(counts[0], counts[1], source=UsageSource.REPORTED)


def _is_image(image: object) -> bool:
    encoded = image.get("b64_json") if isinstance(image, dict) else None
    if not isinstance(encoded, str):
        return False
    try:
        return base64.b64decode(encoded[:64], validate=True).startswith(_IMAGE_STARTS)
    except binascii.Error:
        return False
