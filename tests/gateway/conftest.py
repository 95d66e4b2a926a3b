"""Sara before the gateway, in this process and at a server."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from gateway.services import sync_catalog
from tests.servers import Server


@pytest.fixture
def catalog(db: None) -> None:
    """The built-in models: a chat model, and placeholder cards."""
    sync_catalog()


@pytest.fixture
def caller(sara: User) -> Principal:
    """Sara, as the gateway knows her."""
    return principal_of(sara)


@pytest.fixture
def web(server: Server, saras_key: str) -> Iterator[httpx2.Client]:
    """Sara's program."""
    headers = {"authorization": f"Bearer {saras_key}"}
    with httpx2.Client(base_url=server.address, headers=headers, timeout=20) as web:
        yield web


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], str]]:
    """Starts a provider that answers every GET with a status and a body; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.send_header("location", "http://elsewhere.example/v1")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
