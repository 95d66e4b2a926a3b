"""Requests that nobody should send, by the thousand: none hangs, kills, costs, or meets a 5xx (contract, C29).

Two kinds: a corpus, which is every known trick in every place it fits, and any number of random ones from a seed. What
is served by accident must cost exactly its prompt.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults import forms
from tests.servers import Server

AT_ONCE = 32
PATIENCE = 30.0  # seconds until an answer counts as missing
SILENCE = 0.5  # seconds after which the client of an unfinished request gives up

HELLO = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"model": "good", "messages": HELLO, "stream": False, "temperature": 1, "max_tokens": 5},
    "/v1/images/generations": {"model": "image-streams", "prompt": "a harbor", "n": 1, "size": "256x256"},
    "/v1/responses": {"model": "good", "input": "Hi", "max_output_tokens": 16},
    "/v1/embeddings": {"model": "embed-good", "input": ["Hi"]},
    "/v1/moderations": {"model": "moderate-good", "input": "Hi"},
    forms.PATH: {"model": "image-good", "prompt": "a harbor", "image": "x"},
}
# As JSON texts: some of them no program of ours could write.
VALUES = [
    "null", "true", "false", "0", "-0", "-1", "1.5", "1e3", "1e308", "1e309", "-1e309", "NaN", "Infinity", "-Infinity",
    "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1" + "0" * 400,
    "0.1e-999", '""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\uffff"', '"\u202e"', '"٣"', '"1e3"',
    '"good "', '"Good"', '"ｇood"', '"../good"', '"%00"', "\"' OR '1'='1\"", '"{{7*7}}"', '"${jndi:x}"',
    '"x\\r\\ny: z"',
    '"' + "x" * 5000 + '"', '"' + "\U0001f600" * 500 + '"', "[]", "{}", "[[]]", "[null]", '["a"]', '[{"a":1}]',
    "[" * 200 + "]" * 200, "[" * 3000, '{"a":' * 300 + "1" + "}" * 300, '{"a":1,"a":2}', '{"":0}', '{"__proto__":{}}',
    '{"role":"user","content":"Hi"}', '[{"role":"user"}]', '[{"role":"user","content":[{"type":"text"}]}]',
    '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://127.0.0.1/"}}]}]',
    '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,!"}}]}]',
    '[{"role":"tool","content":"x"}]', '[{"role":"assistant","tool_calls":[{}]}]',
]  # fmt: skip
NAMES = ["n", "model", "messages", "input", "prompt", "stream", "stream_options", "tools", "user", "api_base", "seed",
         "",
         "__class__", "stop", "logit_bias", "response_format", "metadata", "x" * 300, "\\u0000", "größe"]  # fmt: skip
HEADERS = [
    "Content-Length: -1", "Content-Length: 1e3", "Content-Length: 5, 5", "Content-Length: 99999999999999999999",
    "Content-Length: 0\r\nContent-Length: 7", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Encoding: gzip",
    "Content-Type: text/plain", "Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary=",
    "Content-Type: multipart/form-data; boundary=" + "b" * 300, "Content-Type: \xff", "Accept-Language: " + "x" * 5000,
    "Accept-Language: zh-hant;q=9e99", "Accept-Language: ../../x", "Expect: 100-continue", "Expect: nothing",
    "Upgrade: websocket\r\nConnection: Upgrade", "Connection: close, close", "X-Course: \xe9", "X-Course: " + "C" * 200,
    "X-Course: COMP1117", "Idempotency-Key: \x7f", "Idempotency-Key: " + "k" * 400, "Idempotency-Key: \xff",
    "Host: evil.example", "Host: ", "Host: [::1", "Host: a:b:c", "Host: 127.0.0.1:99999999", "X_Underscore: 1",
    "Authorization: Basic eA==", "Authorization: Bearer", "Authorization: Bearer \xff\xfe", "Range: bytes=0-1",
    "Authorization: Bearer " + "a" * 9000, "Cookie: sessionid=" + "x" * 4000, "X-Large: " + "x" * 60_000, "\x00: x",
    ": empty", "No colon", " folded", "X-Forwarded-For: 127.0.0.1", "X-HTTP-Method-Override: DELETE", "TE: trailers",
]  # fmt: skip
LINES = [
    "GET /v1/models/%00 HTTP/1.1", "GET /v1/models/%ff%fe HTTP/1.1", "GET /v1/models/../../etc HTTP/1.1",
    "GET /v1/models/" + "m" * 5000 + " HTTP/1.1", "GET /v1/models?x=%zz HTTP/1.1",
    "POST /v1/chat//completions HTTP/1.1",
    "POST /V1/chat/completions HTTP/1.1", "POST /v1/chat/completions/ HTTP/1.1", "DELETE /v1/models HTTP/1.1",
    "GET http://evil.example/v1/models HTTP/1.1", "CONNECT 127.0.0.1:22 HTTP/1.1", "OPTIONS * HTTP/1.1",
    "GET /v1/models HTTP/0.9", "GET /v1/models HTTP/2.0", "GET /v1/models HTTP/1.0", "GET  /v1/models  HTTP/1.1",
    "PRI * HTTP/2.0", "TRACE /v1/models HTTP/1.1", "\x16\x03\x01\x02", "GET /v1/" + "%2e%2e/" * 50 + " HTTP/1.1", "",
    "POST /v1/responses/%20 HTTP/1.1", "GET /v1/\xe9 HTTP/1.1", "BREW /v1/models HTTP/1.1", "get /v1/models HTTP/1.1",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """Bytes to send, and in words where the trick is."""

    trick: str
    data: bytes


@dataclass
class Verdict:
    """What a crowd of requests was answered. `faults` names each that was answered as none should be."""

    statuses: Counter[int]
    faults: list[str]


def list_corpus(key: str) -> Iterator[Request]:
    """Every trick in every place."""
    for path, body in BODIES.items():
        for name in [*body, "n", "unknown"]:
            for number, value in enumerate(VALUES):
                yield _post(path, _with_field(body, name, value), key, trick=f"{path} {name} {number}")
        for header in HEADERS:
            yield _post(path, json.dumps(body).encode(), key, header, trick=f"{path} {header[:40]!r}")
        yield from _broken_bodies(path, json.dumps(body).encode(), key)
    for form in forms.list_forms():
        yield _post_form(form, key, trick=f"{forms.PATH} {form.trick}")
    for line in LINES:
        head = f"{line}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        yield Request(line[:60], head.encode("latin-1"))


def _broken_bodies(path: str, good: bytes, key: str) -> Iterator[Request]:
    chunked = "Transfer-Encoding: chunked"
    bodies = [
        b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf" + good, good + good, good[:-1], b" " * 10_000 + good, b"[]", b'"x"',
        good.decode().encode("utf-16"), good.replace(b'"', b"'"), good + b"//", b"\x1f\x8b" + good, b"{" * 50_000,
    ]  # fmt: skip
    for number, body in enumerate(bodies):
        yield _post(path, body, key, trick=f"{path} body {number}")
    framings = [b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"ffffffffffffffff\r\nx", b"0\r\n\r\n",
                b"5;" + b"x" * 9000,
                b"1\r\nab\r\n0\r\n\r\n", b"\r\n\r\n"]  # fmt: skip
    for number, framing in enumerate(framings):
        yield _post(path, framing, key, chunked, trick=f"{path} framing {number}")


def generate(key: str, *, count: int, seed: int) -> Iterator[Request]:
    """`count` random requests: several tricks at once, and bytes that were changed at random."""
    dice = random.Random(seed)
    for number in range(count):
        path, body = dice.choice(list(BODIES.items()))
        if path == forms.PATH and dice.random() < 0.5:
            yield _post_form(forms.break_form(dice), key, trick=f"random {seed}/{number}")
            continue
        raw = bytearray(json.dumps(body).encode())
        for _ in range(dice.randint(0, 3)):
            field = f'"{dice.choice([*body, *NAMES])}":{dice.choice(VALUES)},'
            raw[1:1] = field.encode("utf-8", "surrogatepass")
        for _ in range(dice.choice([0, 0, 0, 1, 2, 8])):
            place = dice.randrange(len(raw) + 1)
            raw[place : place + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        headers = [dice.choice(HEADERS)] if dice.random() < 0.15 else []
        yield _post(path, bytes(raw), key, *headers, trick=f"random {seed}/{number}")


def _with_field(body: dict[str, object], name: str, value: str) -> bytes:
    """The body as JSON, with `value` put under `name` as it stands."""
    fields = [f"{json.dumps(key)}:{json.dumps(item)}" for key, item in body.items() if key != name]
    return ("{" + ",".join([*fields, f'"{name}":{value}']) + "}").encode("utf-8", "surrogatepass")


def _post_form(form: forms.Form, key: str, *, trick: str) -> Request:
    return _post(forms.PATH, form.data, key, f"Content-Type: {form.kind}", trick=trick)


def _post(path: str, body: bytes, key: str, *headers: str, trick: str) -> Request:
    named = {header.partition(":")[0].lower() for header in headers}
    lines = [f"POST {path} HTTP/1.1"]
    if "host" not in named:
        lines.append("Host: 127.0.0.1")
    if "authorization" not in named:
        lines.append(f"Authorization: Bearer {key}")
    if not named & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += ["Connection: close", *headers]
    return Request(trick, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)


def send_all(server: Server, requests: Sequence[Request]) -> Verdict:
    """Send them, some at a time, each on a connection of its own."""
    return asyncio.run(_send_all(server, requests))


async def _send_all(server: Server, requests: Sequence[Request]) -> Verdict:
    verdict, room = Verdict(Counter(), []), asyncio.Semaphore(AT_ONCE)

    async def send_in_turn(request: Request) -> None:
        async with room:
            status = await _send(server, request.data)
        verdict.statuses[status] += 1
        if status >= 500 or status < 0:
            verdict.faults.append(f"{request.trick}: {status if status > 0 else 'hangs'}")

    await asyncio.gather(*(send_in_turn(request) for request in requests))
    return verdict


async def _send(server: Server, data: bytes) -> int:
    """The status that came back; 0 when the server hung up or rightly waits for more, -1 when it hangs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answer = b""
    try:
        writer.write(data)
        answer = await asyncio.wait_for(reader.read(64), PATIENCE if _is_whole(data) else SILENCE)
        await asyncio.wait_for(reader.read(), PATIENCE)
    except TimeoutError:
        return -1 if _is_whole(data) else 0
    except OSError:
        pass
    finally:
        writer.close()
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") and answer[9:12].isdigit() else 0


def _is_whole(data: bytes) -> bool:
    """Whether a server can know that the request is complete: it has the body its headers promise."""
    head, end, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.partition(b":")[2].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
    ]
    is_chunked = b"transfer-encoding" in head.lower()
    return bool(end) and not is_chunked and all(length.isdigit() and int(length) <= len(body) for length in lengths)
