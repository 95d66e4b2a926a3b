"""The real application in processes that are cheap to kill: everything is imported once, each server is a fork.

`manage.py serve` gives every process a second of imports, which a hundred kills would spend a hundred times.
"""

import os
import signal
import socket
import sys

import uvicorn
from django.conf import settings

from config import asgi
from core.protocol import Protocol
from gateway.upstreams import load_adapters

GRACE = 20  # seconds: what runs may end, as in `manage.py serve`


def main() -> None:
    """Keep WORKERS forks serving on PORT; whoever dies is replaced, until SIGTERM."""
    load_adapters()
    listener = socket.create_server(("127.0.0.1", settings.PORT), backlog=1024)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for _ in range(settings.WORKERS):
        fork(listener)
    while True:
        os.wait()
        fork(listener)


def fork(listener: socket.socket) -> None:
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        server = uvicorn.Server(
            uvicorn.Config(
                asgi.application,
                http=Protocol,
                lifespan="on",
                timeout_graceful_shutdown=GRACE,
                access_log=False,  # of which the direct way knows nothing
                log_config=None,
            )
        )
        server.run(sockets=[listener])
        os._exit(0)


if __name__ == "__main__":
    main()
