"""What a process does again and again beside its requests, whatever becomes of one round."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from django.db import DatabaseError, InterfaceError

logger = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> NoReturn:
    """Do the work after each pause of so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Upkeep failed, the next round tries again: %s", type(error).__name__)
        except Exception:  # a bug of one round: leases, sweeps and suspensions depend on the others
            logger.exception("Upkeep met a bug, the next round tries again.")
