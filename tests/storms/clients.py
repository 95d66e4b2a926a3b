"""Many small clients on raw sockets, so that a storm spends its time in the server and not in the test.

Every second one asks for a connection that stays, as most programs do: those are answered by the direct way
(core.protocol), the others by ASGI's.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles

from tests.servers import Server

_lasts = cycle(["keep-alive", "close"])


@dataclass(frozen=True)
class Received:
    """What came back: 0 and what there was, when the connection broke."""

    status: int
    text: str

    @property
    def is_complete(self) -> bool:
        return self.status == 200 and "data: [DONE]" in self.text

    @property
    def request_id(self) -> str:
        _, _, rest = self.text.partition("x-request-id: ")
        return rest.split("\r\n", 1)[0]


def request(server: Server, key: str, model: str, *headers: str, lasts: str) -> bytes:
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Authorization: Bearer {key}",
        f"Connection: {lasts}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def ask(server: Server, key: str, model: str, *headers: str, barrier: asyncio.Barrier | None = None) -> Received:
    """One call on a connection of its own; with a barrier, the last byte leaves when everyone is ready."""
    text, lasts = b"", next(_lasts)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError:
        return Received(0, "")
    try:
        message = request(server, key, model, *headers, lasts=lasts)
        writer.write(message[:-1])
        await writer.drain()
        if barrier is not None:
            await barrier.wait()
        writer.write(message[-1:])
        while not (lasts == "keep-alive" and is_whole(text)) and (piece := await reader.read(65536)):
            text += piece
    except OSError:
        pass
    finally:
        writer.close()
    status = int(text[9:12]) if text.startswith(b"HTTP/1.1 ") else 0
    return Received(status, text.decode())


async def ask_in_waves(
    server: Server,
    keys: Sequence[str],
    model: str,
    *,
    waves: int,
    beside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> tuple[list[Received], float]:
    """All ask at once, and again when all are answered.

    Args:
        beside: what goes on during each wave.

    Returns: what came back, and the seconds within which 99 of 100 calls were answered.
    """

    async def ask_timed(key: str) -> tuple[Received, float]:
        began = time.perf_counter()
        return await ask(server, key, model), time.perf_counter() - began

    timed = []
    for _ in range(waves):
        async with beside():
            timed += await asyncio.gather(*map(ask_timed, keys))
    return [answer for answer, _ in timed], quantiles([took for _, took in timed], n=100, method="inclusive")[-1]


def is_whole(text: bytes) -> bool:
    """Whether an answer is all there; the connection it came over may stay open."""
    head, is_headed, body = text.partition(b"\r\n\r\n")
    _, is_counted, length = head.partition(b"content-length: ")
    if is_headed and is_counted:
        return len(body) >= int(length.split(b"\r\n")[0])
    return body.endswith(b"\r\n0\r\n\r\n")
