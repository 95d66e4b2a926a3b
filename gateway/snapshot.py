"""What the decisions about a call need to know, remembered for as long as nothing of it has changed.

Every question is asked of the rooms' own selectors; the answer is true for one revision of the tables in
gateway.watched.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta

from accounts.authentication import KeyFacts, find_key, find_keys
from accounts.types import Principal, Role
from core import clock
from core.revision import Memory, read_revision
from core.types import Operation
from courses.models import ExamWindow
from courses.selectors import are_exams_ahead, list_exams_ahead
from gateway.selectors import find_target, list_extra_fields
from gateway.types import Target
from policies.models import Notice
from policies.selectors import has_acknowledged, list_acknowledged, read_notices
from quotas.resolution import Facts, InForce, Pool, Rule, choose_rules
from quotas.selectors import list_candidates, list_open_pools, list_term_windows
from quotas.types import Period, Window


class NotRemembered(LookupError):
    """The answer would have to be read."""


class Snapshot:
    """Facts for decisions. One that is kept must be asked `is_true` in the transaction that relies on it."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._last_uses: dict[int, datetime] = {}

    def begin(self) -> None:
        """To be called before questions are asked outside the transaction: else a new snapshot asks them all twice."""
        self._memory.begin()

    def is_true(self) -> bool:
        """Whether what was answered so far still holds in this transaction; if not, it is forgotten."""
        return self._memory.is_true_at(read_revision())

    def prepare(self, digests: Collection[str], people: Collection[Principal]) -> None:
        """Look up whoever is not remembered of the people behind many calls, all at once.

        Args:
            digests: of the keys that were shown.
            people: those behind sessions.
        """
        memory = self._memory
        unknown = {digest for digest in digests if memory.peek(find_key, digest) is None}
        if len(unknown) > 1:
            memory.learn(find_key, {(digest,): key for digest, key in find_keys(unknown).items()})
        keys = [key for digest in digests if (key := memory.peek(find_key, digest)) is not None]
        everyone = {_facts_about(person): person for person in (*people, *(key.principal for key in keys))}
        silent = {person.user_id for person in everyone.values() if not memory.peek(has_acknowledged, person.user_id)}
        if len(silent) > 1:
            memory.learn(has_acknowledged, {(user_id,): True for user_id in list_acknowledged(silent)})
        unruled = {about: who for about, who in everyone.items() if memory.peek(_find_candidates, *about) is None}
        if len(unruled) > 1:
            found = zip(unruled, list_candidates(list(unruled.values())), strict=True)
            memory.learn(_find_candidates, {about: _Candidates(*rules) for about, rules in found})

    def find_key(self, digest: str) -> KeyFacts | None:
        return self._memory.recall(find_key, digest)

    def knows_key(self, digest: str) -> bool:
        """Whether the key was good not long ago: nothing to decide by, and nothing is read."""
        return self._memory.peek(find_key, digest) is not None

    def last_use_of(self, key: KeyFacts) -> datetime | None:
        """When the key was last used, as far as anybody here knows: no decision hangs on it."""
        return self._last_uses.get(key.id, key.last_used_at)

    def note_uses(self, key_ids: Collection[int], *, at: datetime) -> None:
        """These keys' use was written down."""
        self._last_uses.update(dict.fromkeys(key_ids, at))

    def list_notices(self) -> list[Notice]:
        """The notices that run or are to come: each says by the clock whether it closes the doors."""
        (notices,) = self._memory.recall(read_notices)
        return notices

    def has_acknowledged(self, user_id: int) -> bool:
        return self._memory.recall(has_acknowledged, user_id)

    def list_extra_fields(self, model: str) -> Collection[str]:
        return self._memory.recall(list_extra_fields, model)

    def peek_extra_fields(self, model: str) -> Collection[str]:
        """The same as it was not long ago; nothing is read.

        Raises:
            NotRemembered: nobody asked for this model lately.
        """
        found = self._memory.peek(list_extra_fields, model)
        if found is None:
            raise NotRemembered
        return found

    def find_target(self, principal: Principal, model: str, operation: Operation, *, at: datetime) -> Target:
        """Where the call goes; a model may retire at midnight."""
        return self._memory.recall(_find_target, principal.role, model, operation, clock.local_day(at))

    def list_exams_ahead(self, user_id: int) -> list[ExamWindow]:
        (are_ahead,) = self._memory.recall(are_exams_ahead)
        return self._memory.recall(list_exams_ahead, user_id) if are_ahead else []

    def find_rules(self, principal: Principal, *, at: datetime) -> InForce:
        """The rules that hold for the person at this instant."""
        candidates = self._memory.recall(_find_candidates, *_facts_about(principal))
        return candidates.at(at, lambda: self._memory.recall(list_term_windows))

    def find_pool(self, course_id: int | None) -> Pool | None:
        """The course's pool, if it has one that is open."""
        return None if course_id is None else self._memory.recall(list_open_pools).get(course_id)


class _Candidates:
    """The rules that may hold for one person, now or later, and those that do until one begins or ends, or the day."""

    def __init__(self, facts: Facts, rules: Sequence[Rule]) -> None:
        self._facts, self._rules = facts, rules
        self._turns = {turn for rule in rules for turn in (rule.starts_at, rule.ends_at) if turn is not None}
        self._from = self._until = datetime.max.replace(tzinfo=UTC)
        self._in_force: InForce

    def at(self, at: datetime, list_terms: Callable[[], Sequence[Window]]) -> InForce:
        """Those that hold at this instant; the same object until the next turn, or the day's end."""
        if not self._from <= at < self._until:
            chosen = choose_rules(self._rules, facts=self._facts, at=at)
            terms = list_terms() if any(rule.period == Period.TERM for rule in chosen) else ()
            self._in_force = InForce(chosen, at=at, terms=terms)
            tomorrow = clock.start_of(clock.local_day(at) + timedelta(days=1))
            self._from, self._until = at, min(turn for turn in {*self._turns, tomorrow} if turn > at)
        return self._in_force


def _facts_about(person: Principal) -> tuple[int, Role, int | None]:
    return person.user_id, person.role, person.department_id


def _find_candidates(user_id: int, role: Role, department_id: int | None) -> _Candidates:
    ((facts, rules),) = list_candidates([Principal(user_id, role, department_id)])
    return _Candidates(facts, rules)


def _find_target(role: Role, model: str, operation: Operation, _today: date) -> Target:
    return find_target(Principal(0, role), model, operation)
