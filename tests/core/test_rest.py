"""A Redis that speaks no Redis is one that is away (contract, C13): nobody meets what its client stumbles over."""

import socketserver
import threading
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from core.cache import SharedCache
from core.limiter import _Shared
from core.rest import Rest

LIES = {
    "a number that is none": b":many\r\n",
    "a length that is none": b"$long\r\n",
    "a float that is none": b",much\r\n",
    "a list as a key": b"%1\r\n*0\r\n+value\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a fine answer to no question": b"+OK\r\n",
    "a number for everything": b":5\r\n",
    "nothing for everything": b"_\r\n",
    "no end of lists": b"*1\r\n" * 5000,
}


class _Liar(socketserver.BaseRequestHandler):
    """Says one thing, whatever it is asked."""

    lie = b""

    def handle(self) -> None:
        while self.request.recv(65536):
            self.request.sendall(self.lie)


@pytest.fixture(params=list(LIES.values()), ids=list(LIES))
def lying_url(request: pytest.FixtureRequest) -> Iterator[str]:
    liar = type("Liar", (_Liar,), {"lie": request.param})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), liar) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_attempts_are_counted_beside_a_redis_that_lies(lying_url: str, settings: LazySettings) -> None:
    settings.REDIS_URL = lying_url
    shared = _Shared()
    try:
        assert [shared.count("1", now=0) for _ in range(3)] == [(1, 3600), (2, 3600), (3, 3600)]
    finally:
        shared._redis.storage.connection_pool.close()


def test_what_is_kept_is_kept_beside_a_redis_that_lies(lying_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.cache._rest", Rest())
    shared = SharedCache(lying_url, {})
    try:
        shared.set("key", 7)
        shared.add("another", 1)
        assert shared.get("key") == 7
        shared.delete("key")
    finally:
        shared._cache.get_client().connection_pool.close()
        shared.own.clear()
