"""Everything a provider can do wrong, as models to call: more behaviors for the fake provider, byte by byte.

A name that begins with `image-` is offered as an image model. docs/faults.md lists every fault beside what the caller
sees and what it costs; tests/contract/test_faulty_providers.py holds the gateway to that table.
"""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from itertools import repeat
from typing import Any

from tests.fakes.upstream import BEHAVIORS, SECRET, USAGE, WORDS, Behavior, Out
from tests.fakes.upstream import _answer as answer
from tests.fakes.upstream import _piece as piece
from tests.fakes.upstream import _png as png

FAULTS: dict[str, Behavior] = dict(BEHAVIORS)

_LATE = 5  # seconds: longer than any deadline the test sets for a first or a next word
_DRIP = 0.25  # seconds: shorter than any
_HEAD = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n"
_CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


def _fault(*names: str) -> Callable[[Behavior], Behavior]:
    def keep(function: Behavior) -> Behavior:
        FAULTS.update(zip(names, repeat(function)))
        return function

    return keep


def _for_all(name: str) -> Callable[[Behavior], Behavior]:
    """A fault of the connection: the same whatever was asked for."""
    return _fault(name, f"image-{name}")


def _proper(body: dict[str, Any]) -> bytes:
    """The bytes of a good plain answer to what was asked."""
    if "prompt" in body:
        return json.dumps({"created": 1, "data": [{"b64_json": png()}] * body.get("n", 1)}).encode()
    return json.dumps(answer()).encode()


def _events(*texts: str) -> bytes:
    return b"".join(f"data: {json.dumps(piece({'content': text}))}\n\n".encode() for text in texts)


_END = f"data: {json.dumps(piece({}, 'stop'))}\n\n".encode()
_DONE = b"data: [DONE]\n\n"


# ---- statuses ----------------------------------------------------------------------------------------------------

for _name in [name for name in BEHAVIORS if name.startswith("error-")]:
    FAULTS[f"image-{_name}"] = BEHAVIORS[_name]
for _name in (
    "down-for-a-while", "silent", "headers-then-silent", "resets", "garbage", "gzip", "redirect", "wrong-shape",
):  # fmt: skip
    FAULTS[f"image-{_name}"] = BEHAVIORS[_name]


def _busy(*headers: str) -> Behavior:
    async def refuse(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.json(429, {"error": {"message": SECRET, "code": "rate_limit_exceeded"}}, *headers)

    return refuse


_for_all("busy-without-a-time")(_busy())
_for_all("busy-in-words")(_busy("retry-after: when it suits you"))
_for_all("busy-until-a-date")(_busy("retry-after: Wed, 21 Oct 2065 07:28:00 GMT"))
_for_all("busy-for-a-year")(_busy("retry-after: 31536000"))


@_for_all("status-of-no-kind")
async def _status_of_no_kind(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n")


@_for_all("no-content")
async def _no_content(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(b"HTTP/1.1 204 No Content\r\n\r\n")


@_for_all("redirect-to-loopback")
async def _redirect_to_loopback(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(302, {}, "location: http://127.0.0.1:9/v1/chat/completions")


# ---- headers -----------------------------------------------------------------------------------------------------


@_for_all("not-http")
async def _not_http(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await out.reset()


@_for_all("headers-never-end")
async def _headers_never_end(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(b"HTTP/1.1 200 X\r\n")
    while True:
        await out.bare(b"x-more: of this\r\n")
        await asyncio.sleep(_DRIP)


@_for_all("headers-too-large")
async def _headers_too_large(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(_HEAD + b"x-large: " + b"x" * 1_000_000 + b"\r\n\r\n")
    await out.reset()


@_for_all("length-no-number")
async def _length_no_number(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(_HEAD + b"content-length: many\r\n\r\n" + _proper(body))
    await out.reset()


@_for_all("two-lengths")
async def _two_lengths(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(_HEAD + b"content-length: 5\r\ncontent-length: 50\r\n\r\n" + _proper(body))
    await out.reset()


@_for_all("wrong-type")
async def _wrong_type(out: Out, body: dict[str, Any], attempt: int) -> None:
    """A login page of somebody's proxy, with status 200."""
    await out.whole(200, "text/html", f"<h1>Sign in</h1>{SECRET}".encode())


@_for_all("continues-first")
async def _continues_first(out: Out, body: dict[str, Any], attempt: int) -> None:
    """An answer after an interim one, which HTTP allows at any time."""
    await out.bare(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n")
    if body.get("stream"):
        await BEHAVIORS["good"](out, body, attempt)
        return
    await out.whole(200, "application/json", _proper(body))


@_for_all("old-http")
async def _old_http(out: Out, body: dict[str, Any], attempt: int) -> None:
    """HTTP/1.0: the end of the connection is the end of the answer."""
    kind = b"text/event-stream" if body.get("stream") else b"application/json"
    content = _events(*WORDS) + _END + _DONE if body.get("stream") else _proper(body)
    await out.bare(b"HTTP/1.0 200 X\r\ncontent-type: " + kind + b"\r\n\r\n" + content)
    await out.end()


@_for_all("hangs-up-between-calls")
async def _hangs_up_between_calls(out: Out, body: dict[str, Any], attempt: int) -> None:
    """A good answer, and the connection that seems to stay open is closed."""
    if body.get("stream"):
        await BEHAVIORS["good"](out, body, attempt)
    else:
        await out.whole(200, "application/json", _proper(body))
    await out.end()


# ---- bodies ------------------------------------------------------------------------------------------------------


@_for_all("late")
async def _late(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Everything right, and too late."""
    await asyncio.sleep(_LATE * 3)
    await out.whole(200, "application/json", _proper(body))


@_for_all("shorter-than-said")
async def _shorter_than_said(out: Out, body: dict[str, Any], attempt: int) -> None:
    content = _proper(body)
    await out.bare(_HEAD + f"content-length: {len(content) + 100}\r\n\r\n".encode() + content)
    await out.end()


@_for_all("truncated")
async def _truncated(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", _proper(body)[:-40])


@_for_all("broken-framing")
async def _broken_framing(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(_HEAD + b"transfer-encoding: chunked\r\n\r\nnot-hex\r\n" + _proper(body))
    await out.reset()


@_for_all("reset-in-body")
async def _reset_in_body(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.bare(_HEAD + b"content-length: 100000\r\n\r\n" + _proper(body)[:50])
    await asyncio.sleep(0.05)
    await out.reset()


@_for_all("endless")
async def _endless(out: Out, body: dict[str, Any], attempt: int) -> None:
    """500 MB, or as much as someone takes."""
    await out.bare(_HEAD + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(8000):
        await out.bare(_CHUNK)


@_for_all("gzip-bomb")
async def _gzip_bomb(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", gzip.compress(b" " * 50_000_000, 9), "content-encoding: gzip")


@_for_all("null")
async def _null(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", b"null")


@_for_all("deep")
async def _deep(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", b'{"choices":' + b"[" * 100_000)


@_for_all("infinite-numbers")
async def _infinite_numbers(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", _proper(body).replace(b'"created": 1', b'"created": Infinity'))


@_for_all("bytes-no-text")
async def _bytes_no_text(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", _proper(body).replace(b'"created"', b'"cre\xff\xfeated"'))


@_fault("no-choices")
async def _no_choices(out: Out, body: dict[str, Any], attempt: int) -> None:
    if body.get("stream"):
        await _tell(out, b'data: {"object": "chat.completion.chunk"}\n\n' + _END + _DONE)
        return
    await out.json(200, {**answer(), "choices": []})


@_fault("no-message")
async def _no_message(out: Out, body: dict[str, Any], attempt: int) -> None:
    choices: list[object] = [{"index": 0, "message": None, "delta": None, "finish_reason": "stop"}]
    if body.get("stream"):
        await _tell(out, f"data: {json.dumps({**piece({}), 'choices': choices})}\n\n".encode() + _DONE)
        return
    await out.json(200, {**answer(), "choices": choices})


@_fault("nested")
async def _nested(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Deep enough to be read and not to be written again."""
    depths = b'{"more": ' + b"[" * 300 + b"]" * 300 + b", "
    if body.get("stream"):
        await _tell(out, b"data: " + depths + _events("Hello").removeprefix(b"data: {") + _END + _DONE)
        return
    await out.whole(200, "application/json", depths + _proper(body)[1:])


def _odd(name: str, message: dict[str, Any], **more: object) -> None:
    """A choice that holds something of another kind than it should be."""

    async def say(out: Out, body: dict[str, Any], attempt: int) -> None:
        if body.get("stream"):
            odd = {**piece({}), "choices": [{"index": 0, "delta": message, "finish_reason": None, **more}]}
            await _tell(out, f"data: {json.dumps(odd)}\n\n".encode() + _END + _DONE)
            return
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **more}
        await out.json(200, {**answer(), "choices": [choice]})

    FAULTS[name] = say


_CALL: dict[str, Any] = {"index": 0, "id": "call_1", "type": "function"}
_odd("arguments-as-object", {"tool_calls": [{**_CALL, "function": {"name": "look", "arguments": {"at": SECRET}}}]})
_odd("function-as-text", {"tool_calls": [{**_CALL, "function": SECRET}]})
_odd("logprobs-as-number", {"content": "Hello"}, logprobs={"content": 5})
_odd("refusal-as-list", {"content": "Hello", "refusal": [SECRET]})
_odd("text-as-list", {"content": [SECRET]})
_odd("tool-as-text", {"tool_calls": [SECRET]})
_odd("tools-as-text", {"tool_calls": SECRET})


@_fault("code-as-list")
async def _code_as_list(out: Out, body: dict[str, Any], attempt: int) -> None:
    """An error under status 200, with a code of another kind than it should be."""
    error = {"error": {"message": SECRET, "code": [SECRET]}}
    if body.get("stream"):
        await _tell(out, f"data: {json.dumps(error)}\n\n".encode())
        return
    await out.json(200, error)


@_fault("cost-in-usage")
async def _cost_in_usage(out: Out, body: dict[str, Any], attempt: int) -> None:
    """A provider that names a price of its own (contract, F89)."""
    usage = {**USAGE, "cost": -12.5, "is_byok": False}
    if body.get("stream"):
        told = {**piece({}), "choices": [], "usage": usage}
        await _tell(out, _events(*WORDS) + _END + f"data: {json.dumps(told)}\n\n".encode() + _DONE)
        return
    await out.json(200, answer(usage=usage))


@_fault("tools-only")
async def _tools_only(out: Out, body: dict[str, Any], attempt: int) -> None:
    if body.get("stream"):
        await BEHAVIORS["tools"](out, body, attempt)
        return
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    await out.json(200, {**answer(), "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})


# ---- streams -----------------------------------------------------------------------------------------------------


async def _tell(out: Out, content: bytes, *, end: bool = True) -> None:
    """A stream with these bytes in it."""
    await out.open_stream()
    await out.raw(content)
    if end:
        await out.close_stream(done=False)


def _stream(name: str, content: bytes) -> None:
    async def tell(out: Out, body: dict[str, Any], attempt: int) -> None:
        await _tell(out, content)

    FAULTS[name] = tell


_GOOD = _events(*WORDS) + _END
_stream("done-twice", _GOOD + _DONE + _DONE)
_stream("data-after-done", _GOOD + _DONE + _events(" and more", SECRET))
_stream("error-after-done", _GOOD + _DONE + f'data: {{"error": "{SECRET}"}}\n\n'.encode())
_stream("done-alone", _DONE)
_stream("nothing-at-all", b"")
_stream("comments-only", b": hello\n\n: still here\n\n")
_stream("error-without-data", b"event: error\ndata: \n\n")
_stream("nan-in-event", _events(*WORDS) + b'data: {"choices": [{"index": NaN}]}\n\n' + _DONE)
_stream("truncated-event", _events(*WORDS) + b'data: {"choices": [{"index": 0, "del')
_stream("list-as-event", _events(*WORDS) + b"data: [1, 2]\n\n" + _DONE)
_stream("bytes-in-event", _events(*WORDS) + b'data: {"choices": "\xff\xfe"}\n\n' + _DONE)
_stream("carriage-returns", (_GOOD + _DONE).replace(b"\n", b"\r"))
_stream("same-id-twice", b"id: 1\n" + _events("Hello") + b"id: 1\n" + _events(" there") + _END + _DONE)
_stream("filtered-late", _events(*WORDS) + f"data: {json.dumps(piece({}, 'content_filter'))}\n\n".encode() + _DONE)
_stream("long-line-late", _events(*WORDS) + b"data: " + b"x" * 10_000_000 + b"\n\n" + _DONE)


@_fault("drips-bytes")
async def _drips_bytes(out: Out, body: dict[str, Any], attempt: int) -> None:
    """One byte at a time, for ever: never silent, and never a word."""
    await out.open_stream()
    while True:
        for byte in _events("slow"):
            await out.raw(bytes([byte]))
            await asyncio.sleep(_DRIP)


@_fault("talks-for-ever")
async def _talks_for_ever(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    while True:
        await out.raw(_events("on and on "))
        await asyncio.sleep(_DRIP)


@_fault("role-for-ever")
async def _role_for_ever(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Alive by every sign, and nothing to read."""
    await out.open_stream()
    while True:
        await out.event(piece({"role": "assistant", "content": ""}))
        await asyncio.sleep(_DRIP)


@_fault("resets-in-character")
async def _resets_in_character(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    content = f"data: {json.dumps(piece({'content': '你好'}), ensure_ascii=False)}\n\n".encode()
    await out.raw(_events(*WORDS) + content[: content.index("好".encode()) + 1])
    await asyncio.sleep(0.05)
    await out.reset()


@_fault("resets-before-done")
async def _resets_before_done(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await out.raw(_GOOD)
    await asyncio.sleep(0.05)
    await out.reset()


@_fault("ends-without-framing")
async def _ends_without_framing(out: Out, body: dict[str, Any], attempt: int) -> None:
    """Everything said but the last chunk of the encoding: whoever stops at [DONE] has it all."""
    await out.open_stream()
    await out.raw(_GOOD + _DONE)
    await out.end()


@_fault("stalls-after-done")
async def _stalls_after_done(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await out.raw(_GOOD + _DONE)
    await asyncio.sleep(3600)


# ---- images ------------------------------------------------------------------------------------------------------


def _picture(name: str, encoded: Callable[[], object]) -> None:
    async def paint(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.json(200, {"created": 1, "data": [{"b64_json": encoded()}] * body.get("n", 1)})

    FAULTS[name] = paint


_picture("image-no-picture", lambda: base64.b64encode(b"MZ\x90\x00" * 100).decode())
_picture("image-not-ascii", lambda: "港" * 50)
_picture("image-not-base64", lambda: "%%%" * 50)
_picture("image-number", lambda: 7)
