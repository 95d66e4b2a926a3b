"""`python -m tests.faults.inside`: `manage.py serve` itself, of which a test can ask what only its process can do.

With `--forking` whoever dies is replaced at once, as in a storm.

POST /inside/fail/3/OperationalError: the third step of calls from now on fails so, once; answers how many there were
since it was last asked. Steps are statements and COMMITs. Where what happens is no error of the database but `cancel`,
which ends the tasks of the calls that run, or `exit`, which ends the process, what is said to a provider and heard
from it are steps, too.

GET /inside/loop: the seconds of the processor that its loop has used so far; the longest turn of the loop by the clock
since it was last asked; and how often passwords and pictures were worked on, on the loop's thread and beside it.

GET /inside/tasks: how many tasks its loop has of each kind.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import django

from config import env

env.choose_settings()
django.setup()

from django import db  # noqa: E402  needs the settings, as all below
from django.contrib.auth.hashers import Argon2PasswordHasher  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402

import config.asgi as door  # noqa: E402
from chat import reading  # noqa: E402
from gateway.upstreams.http1 import Line  # noqa: E402
from tests.storms import forking_server  # noqa: E402

pages = door.application


class Steps:
    """What is done for calls, counted over all threads; at one of the steps something happens."""

    EXCHANGED = ("cancel", "exit")  # what can happen where the provider is spoken to

    def __init__(self) -> None:
        self.seen = self.chosen = 0
        self.what = ""
        self.calls: set[asyncio.Task[None]] = set()
        self.loop: asyncio.AbstractEventLoop

    def choose(self, number: int, what: str) -> int:
        """How many steps there were since the last choice."""
        self.loop = asyncio.get_running_loop()
        seen, self.seen, self.chosen, self.what = self.seen, 0, number, what
        return seen

    def watch(self, method: Callable[..., Any], *, is_exchange: bool = False) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if not is_exchange or self.what in self.EXCHANGED:
                self.seen += 1
                if self.seen == self.chosen:
                    self._happen()
            return method(*args)

        return call

    def _happen(self) -> None:
        match self.what:
            case "exit":
                os._exit(1)
            case "cancel" if threading.current_thread() is threading.main_thread():
                self._cancel()
            case "cancel":
                asyncio.run_coroutine_threadsafe(self._cancel_and_wait(), self.loop).result()
            case error:
                raise getattr(db, error)("a test asked for it")

    def _cancel(self) -> None:
        for task in self.calls:
            task.cancel()

    async def _cancel_and_wait(self) -> None:
        """The step is done when those who waited for it know."""
        self._cancel()
        for _ in range(5):
            await asyncio.sleep(0)


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


steps, turns, work = Steps(), Turns(), Work()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The door, with a hatch beside it."""
    if scope["type"] != "http" or not scope["path"].startswith("/inside/"):
        await serve(scope, receive, send)
        return
    match scope["path"].split("/")[2:]:
        case ["fail", number, what]:
            said = str(steps.choose(int(number), what))
        case ["tasks"]:
            said = json.dumps(Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()))
        case _:
            said = json.dumps(turns.tell())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})


async def serve(scope: Any, receive: Any, send: Any) -> None:
    task = asyncio.current_task()
    assert task
    steps.calls.add(task)
    try:
        await pages(scope, receive, send)
    finally:
        steps.calls.remove(task)


if __name__ == "__main__":
    CursorWrapper.execute = steps.watch(CursorWrapper.execute)  # type: ignore[method-assign]
    CursorWrapper.executemany = steps.watch(CursorWrapper.executemany)  # type: ignore[method-assign]
    BaseDatabaseWrapper._commit = steps.watch(BaseDatabaseWrapper._commit)  # type: ignore[attr-defined]
    Line.send = steps.watch(Line.send, is_exchange=True)  # type: ignore[method-assign]
    Line.data_received = steps.watch(Line.data_received, is_exchange=True)  # type: ignore[method-assign]
    Argon2PasswordHasher.encode = work.watch(Argon2PasswordHasher.encode)  # type: ignore[method-assign]
    Argon2PasswordHasher.verify = work.watch(Argon2PasswordHasher.verify)  # type: ignore[method-assign]
    reading._read_picture = work.watch(reading._read_picture)
    door.application = application
    if "--forking" in sys.argv:
        forking_server.main()
    else:
        sys.argv[0] = "manage.py"
        call_command("serve")
