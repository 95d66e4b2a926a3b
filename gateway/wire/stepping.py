"""Running a coroutine without waiting, as far as it goes.

An ASGI `send` to a client that keeps up never waits, nor does `receive` where the body has come with its head.
"""

from collections.abc import Awaitable, Coroutine, Generator
from types import coroutine
from typing import Any, NamedTuple


class Begun(NamedTuple):
    """Work that has begun: its `result`, or the `rest` of it for a task to await."""

    result: Any
    rest: Awaitable[Any] | None


def begin(work: Coroutine[Any, Any, Any]) -> Begun:
    """Run `work` here and now until it ends or waits.

    Raises:
        Whatever `work` raises before it waits.
    """
    try:
        awaited = work.send(None)
    except StopIteration as end:
        return Begun(end.value, None)
    return Begun(None, _rest(work, awaited))


@coroutine
def _rest(work: Coroutine[Any, Any, Any], awaited: object) -> Generator[Any, None, Any]:
    try:
        yield awaited  # what a coroutine waits for is meant for the task that runs it (PEP 492)
        return (yield from work)  # a coroutine, which only a generator like this one may go on with
    finally:
        work.close()
