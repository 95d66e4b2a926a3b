"""Real races in tests: many threads that start together, each with a connection of its own."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread

from django.db import connection, connections

from core.errors import Refusal


def race(runners: Sequence[Callable[[], object]]) -> list[object]:
    """Run all at once, each in a thread of its own that starts when all are there; their results in order.

    A refusal is a result.

    Raises:
        ExceptionGroup: whatever else went wrong in any of them; a runner that failed has not raced.
    """
    _be_patient()
    results: list[object] = [None] * len(runners)
    failures: list[Exception] = []
    start = Barrier(len(runners))

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = runners[place]()
        except Refusal as refusal:
            results[place] = refusal
        except Exception as failure:  # noqa: BLE001  # a thread would lose it: it is raised below
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(place,)) for place in range(len(runners))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(runners)} runners failed", failures)
    return results


def _be_patient() -> None:
    """Two hundred threads share ten connections here: let them queue rather than give up."""
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        connection.pool.timeout = 60  # type: ignore[attr-defined]
