"""A real server in a thread, and a person at it: Django's own test server would hold a stream back until its end."""

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import uvicorn
from django.conf import settings
from django.test import Client

from accounts.models import User
from config.asgi import application
from tests.servers import Server

CSRF = "c" * 32
T = TypeVar("T")


@dataclass
class RunningServer:
    """The application on a port of its own."""

    address: str
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's event loop, from the test's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@contextmanager
def running_server() -> Iterator[RunningServer]:
    """The application in a thread, with its lifespan."""
    listener = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            loops.append(asyncio.get_running_loop())
            started.set()

    server = Server(uvicorn.Config(application, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield RunningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", loops[0])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@dataclass
class Event:
    """One server-sent event."""

    name: str
    id: str
    data: dict[str, Any]


class Visitor:
    """A person signed in at a running server."""

    def __init__(self, server: RunningServer | Server, user: User) -> None:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.http = httpx2.Client(
            base_url=server.address,
            timeout=20,
            cookies={settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: CSRF},
            headers={"X-CSRFToken": CSRF, "Accept": "application/json"},
        )

    def close(self) -> None:
        """Leave."""
        self.http.close()

    def ask(self, text: str, *, model: str, **fields: Any) -> httpx2.Response:
        return self.http.post("/chat/ask/", json={"text": text, "model": model, **fields})

    def events(self, address: str, **headers: str) -> Generator[Event, None, None]:
        """The events of an answer as they arrive, until the server has said the last one."""
        with self.http.stream("GET", address, headers={"Accept": "text/event-stream", **headers}) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"] == "text/event-stream"
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
                    fields = {}


def text_of(events: list[Event]) -> str:
    """What the pieces say together."""
    return "".join(event.data["text"] for event in events if event.name == "text")
