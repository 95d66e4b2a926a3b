"""Real races in tests: many threads that start together, each with a connection of its own."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread

from django.db import connection, connections

from core.errors import Refusal


def race(runners: Sequence[Callable[[], object]]) -> list[object]:
    """Run all at once, each in a thread of its own that starts when all are there; their results in order."""
    _be_patient()
    results: list[object] = [None] * len(runners)
    start = Barrier(len(runners))

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = runners[place]()
        except Refusal as refusal:
            results[place] = refusal
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(place,)) for place in range(len(runners))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _be_patient() -> None:
    """Two hundred threads share ten connections here: let them queue rather than give up."""
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        connection.pool.timeout = 60  # type: ignore[attr-defined]
