"""Which of a model's places a call goes to, by what this process has seen of each. Pure decisions, and one board.

A place is a model at an upstream. Three failures in a row and it rests, for longer each time; when the rest is over,
one call tries it. A provider that asks to be left alone (Retry-After) is left alone, for an hour at most. Another
process has seen other things, and decides for itself: nothing here is shared, and nothing here counts for a quota.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamError, UpstreamRejected
from gateway.types import Target

FAILURES = 3  # in a row, until a place rests
_SHORTEST, _LONGEST = 5, 60  # seconds it rests
LONGEST_LEFT_ALONE = 3600  # seconds, whatever a provider asks for: it may have meant something else
_UNASKED = 60  # seconds after which nobody knows whether one that was busy still is
_SOON = 1  # seconds until a place that is full may have room

Place = tuple[int, str]  # an upstream, and its name for the model


@dataclass(frozen=True, slots=True)
class Health:
    """What became of the last calls to a place.

    Args:
        failures: in a row.
        rests_until: the moment of the clock before which nobody asks it.
        is_busy: it rests because it said so.
    """

    failures: int = 0
    rests_until: float = 0.0
    is_busy: bool = False


WELL = Health()


class Circuit(IntEnum):
    """How a place stands, the worse the higher."""

    WELL = 0
    STUMBLING = 1
    ASKED_FOR_REST = 2
    RESTING = 3


def place_of(target: Target) -> Place:
    """What a target's health is remembered under."""
    return target.upstream_id, target.upstream_model


def after(error: UpstreamError | None, health: Health, *, now: float) -> Health:
    """The health of a place after a call.

    Args:
        error: what its answer ended in; None after a good answer. A refusal of the request itself says that it works.
        now: seconds of any steady clock.
    """
    if error is None or isinstance(error, ContentFiltered | UpstreamRejected):
        return WELL
    if isinstance(error, UpstreamBusy):
        rests_until = now + min(error.retry_after, LONGEST_LEFT_ALONE)
        return replace(health, rests_until=max(health.rests_until, rests_until), is_busy=True)
    failures = health.failures + 1
    if failures < FAILURES:
        return Health(failures)
    return Health(failures, now + min(_LONGEST, _SHORTEST * 2 ** min(failures - FAILURES, 8)))


def circuit_of(health: Health, *, now: float) -> Circuit:
    """In one word what is to be thought of a place."""
    if health.failures >= FAILURES:
        return Circuit.RESTING
    if health.is_busy and health.rests_until > now:
        return Circuit.ASKED_FOR_REST
    return Circuit.STUMBLING if health.failures else Circuit.WELL


def tried(health: Health, *, now: float) -> Health:
    """The health of a place that is asked now: while one call tries whether it works again, others do not."""
    if health.failures < FAILURES:
        return health
    return replace(health, rests_until=now + _SHORTEST)


def choose(
    target: Target,
    *,
    health: Mapping[Place, Health],
    running: Mapping[int, int],
    now: float,
    draw: Callable[[], float],
) -> list[Target]:
    """The places to ask, best first: by position, and among equals as often as their weights say.

    A stand-in comes after every place of the model itself. Those that rest are left out, unless all of them do because
    they failed: then asking is better than giving up.

    Args:
        running: calls of this process per upstream.
        draw: a random number, 0 ≤ x < 1.

    Raises:
        UpstreamBusy: all of them are full, or asked to be left alone.
    """
    if not (health or target.spares or target.most_parallel):
        return [target]  # there is but one, and nothing bad is known of any: as it mostly is

    def rank(place: Target) -> tuple[bool, int, float]:
        # Exponential clocks: the one with twice the weight rings first twice as often (Efraimidis and Spirakis, 2006).
        return place.model != target.model, place.position, -math.log(1 - draw()) / place.weight

    places = sorted((target, *target.spares), key=rank) if target.spares else [target]
    states = [(place, health.get(place_of(place), WELL)) for place in places if _has_room(place, running)]
    awake = [place for place, state in states if state.rests_until <= now]
    chosen = awake or [place for place, state in states if not state.is_busy]
    if chosen:
        return chosen
    waits = [math.ceil(state.rests_until - now) for _place, state in states] or [_SOON]
    raise UpstreamBusy(retry_after=min(waits))


def second_of(
    chosen: Collection[Target],
    error: UpstreamError,
    *,
    health: Mapping[Place, Health],
    running: Mapping[int, int],
    now: float,
) -> Target | None:
    """Where to ask once more after the first of the chosen failed before its first content (D7); None: nowhere.

    What is wrong with the request is wrong everywhere. The others may have become full, or asked to be left alone,
    while the first was waited for. The same place, where the call still has its room, is asked again only if it could
    not be reached or said that it is broken.
    """
    if isinstance(error, ContentFiltered | UpstreamRejected):
        return None
    first, *others = chosen
    for place in others:
        state = health.get(place_of(place), WELL)
        if _has_room(place, running) and not (state.is_busy and state.rests_until > now):
            return place
    return first if error.is_transient else None


def _has_room(place: Target, running: Mapping[int, int]) -> bool:
    return running.get(place.upstream_id, 0) < (place.most_parallel or math.inf)


class Board:
    """What this process has seen. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        self._clock, self._draw = clock, draw
        self._health: dict[Place, Health] = {}
        self._running: Counter[int] = Counter()
        self._resting: dict[Place, Target] = {}
        self._resting_since: dict[Place, float] = {}
        self._busy: dict[Place, tuple[Target, float]] = {}  # who says nothing else, and since when

    def choose(self, target: Target) -> list[Target]:
        """The places to ask now; see above."""
        return choose(target, health=self._health, running=self._running, now=self._clock(), draw=self._draw)

    def second_of(self, chosen: Collection[Target], error: UpstreamError) -> Target | None:
        """Where to ask once more now; see above."""
        return second_of(chosen, error, health=self._health, running=self._running, now=self._clock())

    def begin(self, target: Target) -> None:
        """A call goes there."""
        self._running[target.upstream_id] += 1
        place = place_of(target)
        if place in self._health:
            self._health[place] = tried(self._health[place], now=self._clock())

    def end(self, target: Target, error: UpstreamError | None, *, is_told: bool = True) -> None:
        """A call came back; `is_told` is False when nobody waited for what it would have said."""
        self._running[target.upstream_id] -= 1
        if is_told:
            self._note(target, error)

    def list_resting(self) -> list[Target]:
        """The places that rest because they failed: a health check may find them well again."""
        return list(self._resting.values())

    def list_away(self, *, seconds: float) -> list[Target]:
        """The places that have rested for so long, and were asked in vain meanwhile, or had asked for such a rest."""
        now = self._clock()
        resting = [target for place, target in self._resting.items() if self._resting_since[place] <= now - seconds]
        busy = [(target, since, self._health[place].rests_until) for place, (target, since) in self._busy.items()]
        return resting + [
            target for target, since, until in busy if since + seconds <= min(now, until) and now <= until + _UNASKED
        ]

    def list_circuits(self) -> dict[Place, Circuit]:
        """How every place stands of which something is remembered."""
        now = self._clock()
        return {place: circuit_of(health, now=now) for place, health in self._health.items()}

    def note_check(self, target: Target, *, is_well: bool) -> None:
        """What a health check found. One that answers is tried by the next call; one that does not rests on."""
        place = place_of(target)
        health = self._health.get(place, WELL)
        self._health[place] = replace(health, rests_until=self._clock() + (0 if is_well else _SHORTEST))
        if is_well:
            self._wake(place)

    def _note(self, target: Target, error: UpstreamError | None) -> None:
        place = place_of(target)
        if error is None and place not in self._health:
            return  # well, as it was
        now, before = self._clock(), self._health.get(place, WELL)
        health = after(error, before, now=now)
        if health == WELL:
            self._health.pop(place, None)
        else:
            self._health[place] = health
        if health.failures >= FAILURES:
            self._resting[place] = target
            self._resting_since.setdefault(place, now)
        else:
            self._wake(place)
        if not health.is_busy:
            self._busy.pop(place, None)
        elif place not in self._busy or now > before.rests_until + _UNASKED:
            self._busy[place] = target, now

    def _wake(self, place: Place) -> None:
        self._resting.pop(place, None)
        self._resting_since.pop(place, None)
