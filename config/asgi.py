"""The door of the server: programs to the gateway, probes answered here, everything else to Django.

/v1/* skips Django's handler chain, which holds a thread for every request (docs/decisions/0002).
"""

import asyncio

from asgiref.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, HTTPScope, Scope
from django.core.asgi import get_asgi_application

from config import env, process

env.choose_settings()
pages = get_asgi_application()

from chat import upkeep  # noqa: E402  needs the settings and the rooms, which the line above has loaded
from config.middleware import LATE  # noqa: E402
from gateway import asgi as gateway  # noqa: E402
from gateway import relay  # noqa: E402

_BODY_SECONDS = 60  # as many as on /v1: a body that drips in slower than this is given up


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """One connection: the lifespan of the process, or one request."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/healthz":
        await _answer_alive(send)
    elif scope["type"] == "http" and (scope["path"] + "/").startswith("/v1/"):
        await gateway.application(scope, receive, send)  # type: ignore[arg-type]
    else:
        receive = _within_time(scope, receive) if scope["type"] == "http" else receive
        await pages(scope, receive, send)  # type: ignore[arg-type]  # Django says dict where asgiref says TypedDict


def _within_time(scope: HTTPScope, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """`receive`, where a body that is not whole in time ends as it is: the scope tells config.middleware then."""
    due = asyncio.get_running_loop().time() + _BODY_SECONDS
    is_awaited = True

    async def receive_within_time() -> ASGIReceiveEvent:
        nonlocal is_awaited
        while not is_awaited:
            message = await receive()
            if message["type"] != "http.request":  # else it comes too late
                return message
        try:
            async with asyncio.timeout_at(due):
                message = await receive()
        except TimeoutError:
            scope[LATE] = True  # type: ignore[literal-required]
            message = {"type": "http.request", "body": b"", "more_body": False}
        is_awaited = bool(message.get("more_body"))
        return message

    return receive_within_time


async def _live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    async with relay.lifespan(), upkeep.lifespan():
        process.set_up()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer_alive(send: ASGISendCallable) -> None:
    # Says only that the process turns; /readyz looks at what it stands on.
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"alive\n", "more_body": False})
