"""The door of the server: programs to the gateway, probes answered here, everything else to Django.

/v1/* skips Django's handler chain, which holds a thread for every request (docs/decisions/0002).
"""

import fcntl
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from django.core.asgi import get_asgi_application

from config import collector, env

env.choose_settings()
pages = get_asgi_application()

from chat import upkeep  # noqa: E402  needs the settings and the rooms, which the line above has loaded
from gateway import asgi as gateway  # noqa: E402
from gateway import relay  # noqa: E402

# Seconds a thread keeps the interpreter while another wants it. Whoever writes the ledger asks for it again after every
# row, and at five times as much, as usual, a first token waits for that (docs/decisions/0015).
_TURN = 0.001
_FILES = 8192  # open files a process is ready for; each stream takes two


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """One connection: the lifespan of the process, or one request."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/healthz":
        await _answer_alive(send)
    elif scope["type"] == "http" and (scope["path"] + "/").startswith("/v1/"):
        await gateway.application(scope, receive, send)  # type: ignore[arg-type]
    else:
        await pages(scope, receive, send)  # type: ignore[arg-type]  # Django says dict where asgiref says TypedDict


async def _live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    async with relay.lifespan(), upkeep.lifespan():
        collector.spare()
        sys.setswitchinterval(_TURN)
        _expect_files()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _expect_files() -> None:
    """Let the kernel's table of the process's files grow now: when it grows later, all threads wait for 10 to 30 ms."""
    most, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError), Path(os.devnull).open("rb") as file:  # then it grows later
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, min(most, _FILES) - 1))


async def _answer_alive(send: ASGISendCallable) -> None:
    # Says only that the process turns; /readyz looks at what it stands on.
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"alive\n", "more_body": False})
