"""`python -m tests.faults.inside`: `manage.py serve` itself, of which a test can ask what only its process can do.

POST /inside/fail/3/OperationalError    the third statement from now on fails so, once; answers how many there were
                                        since it was last asked
"""

import sys
from collections.abc import Callable
from typing import Any

import django

from config import env

env.choose_settings()
django.setup()

from django import db  # noqa: E402  needs the settings, as all below
from django.core.management import call_command  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402

import config.asgi as door  # noqa: E402

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


statements = Statements()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The door, with a hatch beside it."""
    if scope["type"] != "http" or not scope["path"].startswith("/inside/"):
        await pages(scope, receive, send)
        return
    _, _, _verb, number, name = scope["path"].split("/")
    said = str(statements.seen)
    statements.seen, statements.failing, statements.error = 0, int(number), getattr(db, name)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})


if __name__ == "__main__":
    CursorWrapper.execute = statements.watch(CursorWrapper.execute)  # type: ignore[method-assign]
    CursorWrapper.executemany = statements.watch(CursorWrapper.executemany)  # type: ignore[method-assign]
    door.application = application
    sys.argv[0] = "manage.py"
    call_command("serve")
