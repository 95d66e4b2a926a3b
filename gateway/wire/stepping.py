"""Running a coroutine without waiting, as far as it goes, or beside its caller without a task of its own.

An ASGI `send` to a client that keeps up never waits, nor does `receive` where the body has come with its head; and a
client that hangs up is waited for in every call, and almost always in vain.
"""

import asyncio
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


class Watch:
    """Work that waits for something that seldom happens, and that it is too late for at the end of a `with`."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work`, which waits for futures of asyncio only, until it first waits."""
        self._work = work
        self._is_closed = False
        self._step()

    def __enter__(self) -> None:
        """Nothing more: it has begun."""

    def __exit__(self, *_why: object) -> None:
        self._is_closed = True
        self._work.close()

    def _step(self, _done: asyncio.Future[Any] | None = None) -> None:
        if self._is_closed:
            return
        try:
            awaited = self._work.send(None)
        except StopIteration:
            return
        awaited._asyncio_future_blocking = False  # seen, as a task says it
        awaited.add_done_callback(self._step)
