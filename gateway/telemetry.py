"""What is seen of calls from outside: figures for Prometheus, and one line of the log for each call that ended.

Every process counts for itself in files under DATA_DIR/metrics, and /metrics adds them up, whichever worker is asked.
Figures and lines are gathered and written out together a few times a second: one by one they would cost a sixth of the
event loop's time for a call.
A line names who, what, how it ended and how long it took; never a word of a prompt or of an answer.
"""

import asyncio
import fcntl
import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import orjson
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from core import clock
from core.types import Operation, Via
from gateway.routing import Circuit, Place
from gateway.types import Admission, Ending
from usage.types import Outcome

_SAMPLE_SECONDS = 1.0
_FLUSH_SECONDS = 0.2  # what a process that is killed may leave unsaid; the ledger does not depend on it

_WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
_OF_A_CALL = ("operation", "via", "model", "provider")
_OF_AN_END = ("outcome", "code")
_Kind = tuple[Operation, Via, str, str]  # of a call


class _Seat:
    """The number by which this process's files are called: the lowest that no other has, in whichever container it is.

    Containers that share the folder have the same numbers of processes, so it is a lock that says who lives. Whoever
    takes the seat of one that is gone counts on where that one ended: there are as many files as processes at a time.
    """

    def __init__(self) -> None:
        self._pid = self._number = self._lock = 0

    def __call__(self) -> int:
        if self._pid != os.getpid():  # it is its parent's, if anybody's
            if self._pid:
                os.close(self._lock)
            self._pid = os.getpid()
            self._number, self._lock = next((one, lock) for one in count(1) if (lock := _lock(one)) is not None)
            mark_process_dead(self._number)  # type: ignore[no-untyped-call]
        return self._number


def _lock(seat: int) -> int | None:
    """The open lock of a seat that nobody has; None when a process has it, or another user."""
    file = settings.METRICS_DIR / f"{seat}.lock"
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        if file.exists():
            return None
        raise
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


values.ValueClass = values.MultiProcessValue(_Seat())  # type: ignore[no-untyped-call]  # before anything is counted
_calls = Counter("gateway_calls", "Calls that ended.", (*_OF_A_CALL, *_OF_AN_END))
_tokens = Counter("gateway_tokens", "Tokens, as the provider reported them or as estimated.", ("model", "direction"))
_first = Histogram("gateway_first_content_seconds", "From admission to the first content.", _OF_A_CALL, buckets=_WAITS)
_whole = Histogram("gateway_call_seconds", "From admission to the end.", _OF_A_CALL, buckets=_WAITS)
_errors = Counter("gateway_errors", "Errors told to callers of /v1.", ("code",))
_ledger = Histogram("gateway_ledger_seconds", "Until the ledger's rows are durable.", ("step",), buckets=_COMMITS)
_running = Gauge("gateway_running_calls", "Calls being relayed now.", multiprocess_mode="livesum")
_circuits = Gauge(
    "gateway_place_circuit",
    "How a model's place at an upstream stands: 0 well, 1 failed lately, 2 asked for rest, 3 rests after failures.",
    ("upstream", "name"),
    multiprocess_mode="livemax",
)
_lag = Gauge("gateway_loop_lag_seconds", "How late the slowest worker's event loop is.", multiprocess_mode="livemax")


class _Sum:
    """What a counter gained since it was last written out."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.gained = 0

    def flush(self) -> None:
        gained, self.gained = self.gained, 0
        if gained:
            self._counter.inc(gained)


class Spread:
    """What a histogram is to see when it is written out."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram: Any = histogram  # whose own way in takes one value at a time
        self._seen: list[float] = []

    def observe(self, seconds: float) -> None:
        """Something took so long."""
        if not self._seen:
            _desk.open()
        self._seen.append(seconds)

    def flush(self) -> None:
        seen, self._seen = sorted(self._seen), []
        if not seen:
            return
        self._histogram._sum.inc(sum(seen))
        counted = 0
        for bucket, bound in zip(self._histogram._buckets, self._histogram._upper_bounds, strict=True):
            within = bisect_right(seen, bound)
            if within > counted:
                bucket.inc(within - counted)
            counted = within


class _Desk:
    """Where figures and lines wait until they are written out."""

    def __init__(self) -> None:
        self._figures: list[_Sum | Spread] = []
        self._lines: list[bytes] = []
        self._is_open = False

    def sum(self, counter: Counter) -> _Sum:
        self._figures.append(figure := _Sum(counter))
        return figure

    def spread(self, histogram: Histogram) -> Spread:
        self._figures.append(figure := Spread(histogram))
        return figure

    def write(self, line: dict[str, object]) -> None:
        if not self._lines:
            self.open()
        self._lines.append(orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))

    def open(self) -> None:
        """Something waits, where nothing did."""
        if not self._is_open:
            self._is_open = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        self._is_open = False
        for figure in self._figures:
            figure.flush()
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.write(b"".join(lines).decode())
            sys.stderr.flush()


_desk = _Desk()
admitting, concluding = _desk.spread(_ledger.labels("admit")), _desk.spread(_ledger.labels("conclude"))


@dataclass(frozen=True, slots=True)
class _Meters:
    """What calls of one kind that ended alike have in common: the words for them, and the figures they move."""

    words: Mapping[str, str]
    calls: _Sum
    first: Spread
    whole: Spread
    input_tokens: _Sum
    output_tokens: _Sum


def note_ending(admitted: Admission, ending: Ending) -> None:
    """A call ended, and its rows are written."""
    call, person, target, totals, now = admitted.call, admitted.principal, admitted.target, ending.totals, clock.now()
    meters = _meters((call.operation, call.via, target.model, target.provider), ending.outcome, ending.code)
    took = (now - admitted.admitted_at).total_seconds()
    meters.calls.gained += 1
    meters.whole.observe(took)
    first = None
    if ending.first_content_at is not None:
        first = (ending.first_content_at - admitted.admitted_at).total_seconds()
        meters.first.observe(first)
    meters.input_tokens.gained += totals.input_tokens or 0
    meters.output_tokens.gained += totals.output_tokens or 0
    _desk.write(
        {
            "event": "call",
            "level": "info",
            "logger": __name__,
            "timestamp": now,
            "request_id": call.id,
            "user_id": person.user_id,
            "key_id": person.key_id,
            **meters.words,
            "input_tokens": totals.input_tokens,
            "output_tokens": totals.output_tokens,
            "first_ms": None if first is None else round(first * 1000),
            "total_ms": round(took * 1000),
        }
    )


def flush() -> None:
    """Write out what waits; by itself that happens a few times a second."""
    _desk.flush()


def note_error(code: str) -> None:
    """A caller of /v1 was told that something did not work."""
    _errors.labels(code).inc()


async def sample(count_running: Callable[[], int], list_circuits: Callable[[], Mapping[Place, Circuit]]) -> None:
    """Look at this process again and again, until cancelled; then everything noted is written out."""
    loop = asyncio.get_running_loop()
    known: set[Place] = set()
    try:
        while True:
            expected = loop.time() + _SAMPLE_SECONDS
            await asyncio.sleep(_SAMPLE_SECONDS)
            _lag.set(max(0.0, loop.time() - expected))
            _running.set(count_running())
            now = list_circuits()
            known |= now.keys()
            for place in known:
                _circuits.labels(*place).set(now.get(place, Circuit.WELL))
    finally:
        _running.set(0)
        flush()


def figures() -> CollectorRegistry:
    """The figures of all processes together."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def read_circuits() -> dict[Place, Circuit]:
    """How each place stands that any running process of this machine remembers, by the worst of them."""
    forget_the_dead()
    seen = [
        sample for metric in figures().collect() if metric.name == "gateway_place_circuit" for sample in metric.samples
    ]
    return {(int(one.labels["upstream"]), one.labels["name"]): Circuit(int(one.value)) for one in seen}


def forget_the_dead() -> None:
    """Leave out the gauges of processes that are gone; what they counted stays counted."""
    for seat in {int(file.stem.rpartition("_")[2]) for file in settings.METRICS_DIR.glob("gauge_live*_*.db")}:
        if (lock := _lock(seat)) is not None:
            mark_process_dead(seat)  # type: ignore[no-untyped-call]
            os.close(lock)


@cache
def _meters(kind: _Kind, outcome: Outcome, code: str) -> _Meters:
    """Looked up once."""
    words = dict(zip((*_OF_A_CALL, *_OF_AN_END), map(str, (*kind, outcome, code)), strict=True))
    return _Meters(words, _desk.sum(_calls.labels(*words.values())), *_waits(kind), *_token_sums(words["model"]))


@cache
def _waits(kind: _Kind) -> tuple[Spread, Spread]:
    return _desk.spread(_first.labels(*kind)), _desk.spread(_whole.labels(*kind))


@cache
def _token_sums(model: str) -> tuple[_Sum, _Sum]:
    return _desk.sum(_tokens.labels(model, "input")), _desk.sum(_tokens.labels(model, "output"))
