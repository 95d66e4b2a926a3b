"""Where asynchronous code steps into synchronous business code and back: one bounded pool of threads.

Outside Django's own handler `sync_to_async` would run everything on one thread per process (asgiref issue 218),
so the pool is explicit. A database connection is used within one hop and never kept while bytes stream.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

_POOL = ThreadPoolExecutor(max_workers=settings.HOP_THREADS, thread_name_prefix="hop")
_WRITER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
_ASIDE = ThreadPoolExecutor(max_workers=2, thread_name_prefix="aside")


async def hop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one synchronous piece of business code in the pool and await its result."""
    return await _run(_POOL, function, *args, **kwargs)


async def hop_aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for what takes seconds and asks no database: few at once, in nobody's way."""
    return await _run(_ASIDE, function, *args, **kwargs)


async def hop_to_writer(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in the one thread of the process that writes batches, without the caller's context.

    What must be written soon belongs here: it waits for one batch, and not for a database that others keep locked.
    """

    def piece() -> T:
        _drop_broken_connections()
        try:
            return function(*args, **kwargs)
        finally:
            _give_connections_back()

    return await asyncio.get_running_loop().run_in_executor(_WRITER, piece)


async def leave_database() -> None:
    """Give back the connection that middleware took in the request's own thread: before a view begins to stream.

    Django would keep it until the last byte (its request_finished comes with the end of the response).
    """
    await sync_to_async(connections.close_all)()


async def _run(pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    def piece() -> T:
        _drop_broken_connections()
        try:
            return function(*args, **kwargs)
        finally:
            _give_connections_back()

    return await sync_to_async(piece, thread_sensitive=False, executor=pool)()


def _drop_broken_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred:
            connection.close()


def _give_connections_back() -> None:
    # PostgreSQL: back to psycopg's pool. SQLite: the thread lives as long as the process, and so may its file handle.
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()
