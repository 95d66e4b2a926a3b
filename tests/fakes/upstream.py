"""A provider that misbehaves on request: a real HTTP server on a port of its own.

The name of the model chooses the behavior (see BEHAVIORS). Every arrival is kept, with what an auditor at the provider
would know: what was asked, whether the client hung up before the end, and whether the call's reservation and ledger
entry were already committed, seen over a database connection of the server's own (contract, C01).
"""

import asyncio
import base64
import email
import email.policy
import io
import json
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from PIL import Image

WORDS = ["Hello", " from", " the", " fake", " provider"]
ANSWER = "".join(WORDS)
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
SECRET = "sk-provider-says-this"  # what a provider might write into an error: must never reach a person or a log


@dataclass
class Arrival:
    """One request as the provider saw it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    is_durable: bool | None = None
    left: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def call_id(self) -> str:
        return self.headers.get("x-client-request-id", "")

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


@dataclass
class FakeUpstream:
    """The running server, as a test sees it. `database_url` is where arrivals look for their rows."""

    port: int = 0
    database_url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)  # by call
    behaviors: "Mapping[str, Behavior]" = field(default_factory=lambda: BEHAVIORS)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def calls(self) -> list[Arrival]:
        """The arrivals that asked a model for something."""
        return [arrival for arrival in self.arrivals if arrival.path != "/v1/models"]


@contextmanager
def open_upstream(behaviors: "Mapping[str, Behavior] | None" = None) -> Iterator[FakeUpstream]:
    """A fake provider in a thread with its own event loop, for as long as the block lasts.

    Args:
        behaviors: what it offers as models; BEHAVIORS when left out.
    """
    fake, ready, loop = FakeUpstream(behaviors=behaviors or BEHAVIORS), threading.Event(), asyncio.new_event_loop()
    finish = asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(lambda r, w: _converse(fake, r, w), "127.0.0.1", 0, backlog=1024)
        fake.port = server.sockets[0].getsockname()[1]
        ready.set()
        await finish.wait()
        server.close()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    thread = threading.Thread(target=lambda: _run(loop, serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(finish.set)
        thread.join(10)


def _run(loop: asyncio.AbstractEventLoop, work: Awaitable[None]) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(work)
    loop.close()


async def _converse(fake: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Requests of one connection, one after another, until either side has enough."""
    try:
        while await _answer_next(fake, reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def _answer_next(fake: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    out = Out(writer)
    if path.startswith("/openai/") and not path.partition("?api-version=")[2]:  # as Azure does
        await out.json(404, {"error": {"code": "404", "message": "Resource not found"}})
        return True
    if method == "GET":
        await out.json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in fake.behaviors]})
        return True
    arrival = Arrival(path, headers, _read_body(headers, raw))
    if fake.database_url:
        arrival.is_durable = await asyncio.to_thread(is_durable, fake.database_url, arrival.call_id)
    fake.arrivals.append(arrival)
    fake.attempts[arrival.call_id] += 1
    behavior = fake.behaviors[arrival.model]
    answering = asyncio.ensure_future(behavior(out, arrival.body, fake.attempts[arrival.call_id]))
    leaving = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done() and not isinstance(answering.exception(), ConnectionError):
            answering.result()
            return not out.is_broken and not leaving.done()
        arrival.left.set()  # whoever had enough may hang up at any byte: who writes may see it before who reads
        return False
    finally:
        arrival.ended.set()
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


def _read_body(headers: Mapping[str, str], raw: bytes) -> dict[str, Any]:
    """The JSON object, or the fields of a form; its files are lists of (type, bytes), whatever they are called."""
    kind = headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return dict(json.loads(raw))
    form = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + raw, policy=email.policy.HTTP)
    fields: dict[str, Any] = {}
    for part in form.iter_parts():
        name = str(part.get_param("name", header="content-disposition")).removesuffix("[]")
        if part.get_filename():
            fields.setdefault(name, []).append((part.get_content_type(), part.get_payload(decode=True)))
        else:
            fields[name] = part.get_content()
    return fields


def is_durable(database_url: str, call_id: str) -> bool:
    """Whether the call's reservation and its ledger entry are committed, seen from outside.

    It was sent, or has ended meanwhile: a crowded machine looks late. A moderation costs nothing and has no entry.
    """
    question = (
        "SELECT count(*) FROM quotas_reservation r LEFT JOIN quotas_ledgerentry e ON e.reservation_id = r.call_id "
        "WHERE r.state <> 'held' AND (e.id IS NOT NULL OR r.operation = 'moderation') AND r.call_id = "
    )
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
            return bool(connection.execute(f"{question} ?", [uuid.UUID(call_id).hex]).fetchone()[0])
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"{question} %s", [call_id]).fetchone()
        return row is not None and bool(row[0])


class Out:
    """What a behavior writes with."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.is_broken = False
        self._writer = writer

    async def head(self, status: int, kind: str, *extra: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", *extra, "", ""]
        self._writer.write("\r\n".join(lines).encode())
        await self._writer.drain()

    async def whole(self, status: int, kind: str, body: bytes, *extra: str) -> None:
        await self.head(status, kind, f"content-length: {len(body)}", *extra)
        self._writer.write(body)
        await self._writer.drain()

    async def json(self, status: int, body: object, *extra: str) -> None:
        await self.whole(status, "application/json", json.dumps(body).encode(), *extra)

    async def open_stream(self) -> None:
        await self.head(200, "text/event-stream", "transfer-encoding: chunked")

    async def bare(self, data: bytes) -> None:
        """Bytes on the wire, with no framing of ours around them."""
        self._writer.write(data)
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def event(self, body: object) -> None:
        await self.raw(f"data: {json.dumps(body)}\n\n".encode())

    async def close_stream(self, *, done: bool = True) -> None:
        if done:
            await self.raw(b"data: [DONE]\n\n")
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def end(self) -> None:
        """Close the connection in an orderly way."""
        self.is_broken = True
        self._writer.close()

    async def reset(self) -> None:
        self.is_broken = True
        self._writer.transport.abort()


Behavior = Callable[[Out, dict[str, Any], int], Awaitable[None]]
BEHAVIORS: dict[str, Behavior] = {}


def _behavior(name: str) -> Callable[[Behavior], Behavior]:
    def keep(function: Behavior) -> Behavior:
        BEHAVIORS[name] = function
        return function

    return keep


def _piece(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "provider-side-name",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _answer(text: str | None = ANSWER, finish: str = "stop", usage: object = USAGE) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": "provider-side-name",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }


async def _words(pause: float = 0.0, words: list[str] = WORDS) -> AsyncIterator[dict[str, Any]]:
    yield _piece({"role": "assistant", "content": None})
    for word in words:
        yield _piece({"content": word})
        if pause:
            await asyncio.sleep(pause)


async def _stream_words(out: Out, *, pause: float = 0.0, words: list[str] = WORDS) -> None:
    await out.open_stream()
    async for piece in _words(pause, words):
        await out.event(piece)


async def _speak(
    out: Out, body: dict[str, Any], *, pause: float = 0.0, words: list[str] = WORDS, usage: object = USAGE
) -> None:
    """A whole and proper answer, in the form that was asked for."""
    if not body.get("stream"):
        await asyncio.sleep(pause * len(words))
        await out.json(200, _answer("".join(words), usage=usage))
        return
    await _stream_words(out, pause=pause, words=words)
    await out.event(_piece({}, "stop"))
    if usage and body.get("stream_options", {}).get("include_usage"):
        await out.event({**_piece({}), "choices": [], "usage": usage})
    await out.close_stream()


@_behavior("good")
async def _good(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body)


@_behavior("echo")
async def _echo(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=[json.dumps(body["messages"])])


@_behavior("slow")
async def _slow(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, pause=0.1, words=[f"{number} " for number in range(100)])


@_behavior("unhurried")
async def _unhurried(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, pause=0.05)


@_behavior("no-usage")
async def _no_usage(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, usage=None)


@_behavior("absurd-usage")
async def _absurd_usage(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, usage={"prompt_tokens": -5, "completion_tokens": 1e30})


@_behavior("firehose")
async def _firehose(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=["x" * 8000] * 1000)


@_behavior("flood")
async def _flood(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=["x" * 100_000] * 200)


@_behavior("long-line")
async def _long_line(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=["x" * 12_000_000])


@_behavior("tools")
async def _tools(out: Out, body: dict[str, Any], attempt: int) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    await out.open_stream()
    await out.event(_piece({"role": "assistant", "tool_calls": [call]}))
    await out.event(_piece({}, "tool_calls"))
    await out.close_stream()


@_behavior("split")
async def _split(out: Out, body: dict[str, Any], attempt: int) -> None:
    """The same answer with every byte in a piece of its own, carriage returns, a mark, comments and a split event."""
    await out.open_stream()
    text = "\ufeff: hello\r\n\r\n"
    async for piece in _words():
        text += (
            "event: message\r\ndata: "
            + json.dumps(piece, ensure_ascii=False).replace(', "', ',\r\ndata:  "')
            + "\r\n\r\n"
        )
    text += f"data: {json.dumps(_piece({'content': ' 你好'}, 'stop'), ensure_ascii=False)}\r\r"
    for byte in (text + "data: [DONE]\n\n").encode():
        await out.raw(bytes([byte]))
    await out.close_stream(done=False)


def held_until(told: threading.Event) -> Behavior:
    """A stream that says its words and ends well when the test tells it to."""

    async def hold(out: Out, body: dict[str, Any], attempt: int) -> None:
        await _stream_words(out)
        await asyncio.to_thread(told.wait, 60)
        await out.event(_piece({}, "stop"))
        await out.close_stream()

    return hold


def dripping_until(told: threading.Event) -> Behavior:
    """A stream with a word now and then, which ends well when the test tells it to."""

    async def drip(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.open_stream()
        while not told.is_set():
            await out.event(_piece({"content": "drip "}))
            await asyncio.sleep(0.2)
        await out.event(_piece({}, "stop"))
        await out.close_stream()

    return drip


async def gushing(out: Out, body: dict[str, Any], attempt: int) -> None:
    """8 MB at once and then nothing: more than anybody reads, less than the gateway takes of one answer."""
    await _stream_words(out, words=["x" * 8000] * 1000)
    await asyncio.sleep(3600)


# ---- failures before the first content -------------------------------------------------------------------------


def _refusal(status: int, code: str, *extra: str) -> Behavior:
    async def refuse(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.json(status, {"error": {"message": f"{SECRET} {status}", "type": "x", "code": code}}, *extra)

    return refuse


for _status in (400, 401, 403, 404, 408, 409, 413, 422, 500, 502, 503, 504, 529):
    BEHAVIORS[f"error-{_status}"] = _refusal(_status, f"code_{_status}")
BEHAVIORS["error-429"] = _refusal(429, "rate_limit_exceeded", "retry-after: 7")
BEHAVIORS["down-for-a-while"] = _refusal(503, "maintenance", "retry-after: 30")
BEHAVIORS["content-filter"] = _refusal(400, "content_filter")
BEHAVIORS["redirect"] = _refusal(307, "moved", "location: http://127.0.0.1:9/v1/chat/completions")


@_behavior("error-html")
async def _error_html(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(502, "text/html", f"<h1>Bad gateway {SECRET}</h1>".encode())


@_behavior("silent")
async def _silent(out: Out, body: dict[str, Any], attempt: int) -> None:
    await asyncio.sleep(3600)


@_behavior("headers-then-silent")
async def _headers_then_silent(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await asyncio.sleep(3600)


@_behavior("resets")
async def _resets(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.reset()


@_behavior("resets-once")
async def _resets_once(out: Out, body: dict[str, Any], attempt: int) -> None:
    await (out.reset() if attempt == 1 else _speak(out, body))


@_behavior("fails-once")
async def _fails_once(out: Out, body: dict[str, Any], attempt: int) -> None:
    await (BEHAVIORS["error-500"](out, body, attempt) if attempt == 1 else _speak(out, body))


@_behavior("breaks-early")
async def _breaks_early(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await out.event(_piece({"role": "assistant", "content": ""}))
    await asyncio.sleep(0.05)
    await out.reset()


@_behavior("garbage")
async def _garbage(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", b"{nonsense" + SECRET.encode())


@_behavior("wrong-shape")
async def _wrong_shape(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.json(200, {"object": "chat.completion"})


@_behavior("not-a-number")
async def _not_a_number(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", json.dumps(_answer(usage={"x": float("nan")})).encode())


@_behavior("gzip")
async def _gzip(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.whole(200, "application/json", b"\x1f\x8b", "content-encoding: gzip")


@_behavior("in-band")
async def _in_band(out: Out, body: dict[str, Any], attempt: int) -> None:
    await out.open_stream()
    await out.event({"error": {"message": SECRET, "code": "server_error"}})
    await out.close_stream()


@_behavior("filtered")
async def _filtered(out: Out, body: dict[str, Any], attempt: int) -> None:
    if not body.get("stream"):
        await out.json(200, _answer(None, "content_filter"))
        return
    await out.open_stream()
    await out.event(_piece({"role": "assistant"}, "content_filter"))
    await out.close_stream()


@_behavior("empty")
async def _empty(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _speak(out, body, words=[])


@_behavior("other-form")
async def _other_form(out: Out, body: dict[str, Any], attempt: int) -> None:
    """A stream to who asked for a plain answer, and the other way round."""
    await _speak(out, {**body, "stream": not body.get("stream")})


# ---- failures after it -----------------------------------------------------------------------------------------


@_behavior("stalls")
async def _stalls(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await asyncio.sleep(3600)


@_behavior("breaks")
async def _breaks(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await asyncio.sleep(0.05)
    await out.reset()


@_behavior("cut")
async def _cut(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await out.close_stream(done=False)


@_behavior("no-done")
async def _no_done(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await out.event(_piece({}, "stop"))
    await out.close_stream(done=False)


@_behavior("no-finish")
async def _no_finish(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await out.close_stream()


@_behavior("in-band-late")
async def _in_band_late(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await out.event({"error": {"message": SECRET, "code": "server_error"}})
    await out.close_stream()


@_behavior("garbage-late")
async def _garbage_late(out: Out, body: dict[str, Any], attempt: int) -> None:
    await _stream_words(out)
    await out.raw(b"data: {nonsense\n\n")
    await out.close_stream()


# ---- images ----------------------------------------------------------------------------------------------------


def _png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _images(make: Callable[[int], list[object]]) -> Behavior:
    async def paint(out: Out, body: dict[str, Any], attempt: int) -> None:
        await out.json(200, {"created": 1, "data": make(int(body.get("n", 1)))})

    return paint


BEHAVIORS["image-good"] = _images(lambda count: [{"b64_json": _png()}] * count)
BEHAVIORS["image-partial"] = _images(lambda count: [{"b64_json": _png()}] * (count - 1))
BEHAVIORS["image-none"] = _images(lambda count: [])
BEHAVIORS["image-url"] = _images(lambda count: [{"url": "http://127.0.0.1:9/x.png"}] * count)
BEHAVIORS["image-svg"] = _images(lambda count: [{"b64_json": base64.b64encode(b"<svg onload='x'/>").decode()}] * count)
BEHAVIORS["image-filter"] = _refusal(400, "content_policy_violation")
BEHAVIORS["image-500"] = _refusal(500, "server_error")
BEHAVIORS["image-silent"] = _silent
