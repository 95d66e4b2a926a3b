"""`python -m tests.faults.inside`: `manage.py serve` itself, of which a test can ask what only its process can do.

POST /inside/fail/3/OperationalError: the third statement from now on fails so, once; answers how many there were since
it was last asked.

GET /inside/loop: the seconds of the processor that its loop has used so far; the longest turn of the loop by the clock
since it was last asked; and how often passwords and pictures were worked on, on the loop's thread and beside it.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import django

from config import env

env.choose_settings()
django.setup()

from django import db  # noqa: E402  needs the settings, as all below
from django.contrib.auth.hashers import Argon2PasswordHasher  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402

import config.asgi as door  # noqa: E402
from chat import reading  # noqa: E402

pages = door.application


class Statements:
    """Those of all threads, counted; one of them fails."""

    def __init__(self) -> None:
        self.seen = self.failing = 0
        self.error: type[Exception] = db.OperationalError

    def watch(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(cursor: CursorWrapper, *args: Any) -> Any:
            self.seen += 1
            if self.seen == self.failing:
                raise self.error("a test asked for it")
            return method(cursor, *args)

        return call


class Turns:
    """How long the loop lets others wait, looked at from the loop itself."""

    PAUSE = 0.005

    def __init__(self) -> None:
        self.longest, self.began = 0.0, 0.0

    def look(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self.began - self.PAUSE if self.began else 0.0)
        self.began = now
        asyncio.get_running_loop().call_later(self.PAUSE, self.look)

    def tell(self) -> dict[str, object]:
        if not self.began:
            self.look()
        longest, self.longest = self.longest, 0.0
        return {"seconds": time.thread_time(), "longest_turn": longest, "on_loop": work.on_loop, "beside": work.beside}


class Work:
    """What takes long, counted by whether the loop waits for it."""

    def __init__(self) -> None:
        self.on_loop = self.beside = 0

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                self.on_loop += 1
            else:
                self.beside += 1
            return function(*args, **kwargs)

        return call


statements, turns, work = Statements(), Turns(), Work()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The door, with a hatch beside it."""
    if scope["type"] != "http" or not scope["path"].startswith("/inside/"):
        await pages(scope, receive, send)
        return
    match scope["path"].split("/")[2:]:
        case ["fail", number, name]:
            said = str(statements.seen)
            statements.seen, statements.failing, statements.error = 0, int(number), getattr(db, name)
        case _:
            said = json.dumps(turns.tell())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})


if __name__ == "__main__":
    CursorWrapper.execute = statements.watch(CursorWrapper.execute)  # type: ignore[method-assign]
    CursorWrapper.executemany = statements.watch(CursorWrapper.executemany)  # type: ignore[method-assign]
    Argon2PasswordHasher.encode = work.watch(Argon2PasswordHasher.encode)  # type: ignore[method-assign]
    Argon2PasswordHasher.verify = work.watch(Argon2PasswordHasher.verify)  # type: ignore[method-assign]
    reading._read_picture = work.watch(reading._read_picture)
    door.application = application
    sys.argv[0] = "manage.py"
    call_command("serve")
