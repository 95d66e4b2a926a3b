"""Running a coroutine without a task, as far as it goes: an ASGI `send` to a client that keeps up never waits."""

from collections.abc import Awaitable, Coroutine, Generator
from types import coroutine
from typing import Any


def begin(work: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run `work` here and now until it waits.

    Returns:
        None when it ran to its end; else the rest of it, for a task to await.

    Raises:
        Whatever `work` raises before it waits.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return _rest(work, awaited)


@coroutine
def _rest(work: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, None, None]:
    try:
        yield awaited  # what a coroutine waits for is meant for the task that runs it (PEP 492)
        yield from work  # a coroutine, which only a generator like this one may go on with
    finally:
        work.close()
