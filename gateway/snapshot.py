"""What the decisions about a call need to know, remembered for as long as nothing of it has changed.

Every question is asked of the rooms' own selectors; the answer is true for one revision of the tables in
gateway.watched.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from accounts.authentication import KeyFacts, find_key, find_keys
from accounts.keys import digest_of
from accounts.types import Principal, Role
from core import clock
from core.revision import Memory, read_revision
from core.types import Operation
from courses.models import ExamWindow
from courses.selectors import are_exams_ahead, list_exams_ahead
from gateway.selectors import find_target, list_extra_fields
from gateway.types import Target
from policies.selectors import has_acknowledged, list_acknowledged
from quotas.resolution import Asked, Demand, Facts, Pool, Rule, choose_rules, list_ways
from quotas.selectors import list_candidates, list_open_pools, list_term_windows
from quotas.types import Period


class NotRemembered(LookupError):
    """The answer would have to be read."""


class Snapshot:
    """Facts for decisions. One that is kept must be asked `is_true` in the transaction that relies on it."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._last_uses: dict[int, datetime] = {}

    def is_true(self) -> bool:
        """Whether what was answered so far still holds in this transaction; if not, it is forgotten."""
        return self._memory.is_true_at(read_revision())

    def prepare(self, credentials: Collection[str | Principal]) -> None:
        """Look up whoever is not remembered of the people behind many calls, all at once."""
        memory = self._memory
        digests = {digest_of(who) for who in credentials if isinstance(who, str)}
        unknown = [digest for digest in digests if memory.peek(find_key, digest) is None]
        if len(unknown) > 1:
            memory.learn(find_key, {(digest,): key for digest, key in find_keys(unknown).items()})
        keys = [key for digest in digests if (key := memory.peek(find_key, digest)) is not None]
        people = {who for who in credentials if isinstance(who, Principal)}
        people |= {Principal(key.user_id, key.role, key.department_id) for key in keys}
        silent = {person.user_id for person in people if not memory.peek(has_acknowledged, person.user_id)}
        if len(silent) > 1:
            memory.learn(has_acknowledged, {(user_id,): True for user_id in list_acknowledged(silent)})
        unruled = [person for person in people if memory.peek(_find_candidates, *_facts_about(person)) is None]
        if len(unruled) > 1:
            found = zip(unruled, list_candidates(unruled), strict=True)
            memory.learn(_find_candidates, {_facts_about(person): _Candidates(*rules) for person, rules in found})

    def find_key(self, secret: str) -> KeyFacts | None:
        return self._memory.recall(find_key, digest_of(secret))

    def knows_key(self, secret: str) -> bool:
        """Whether the key was good not long ago: nothing to decide by, and nothing is read."""
        return self._memory.peek(find_key, digest_of(secret)) is not None

    def last_use_of(self, key: KeyFacts) -> datetime | None:
        """When the key was last used, as far as anybody here knows: no decision hangs on it."""
        return self._last_uses.get(key.id, key.last_used_at)

    def note_uses(self, key_ids: Collection[int], *, at: datetime) -> None:
        """These keys' use was written down."""
        self._last_uses.update(dict.fromkeys(key_ids, at))

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

    def find_target(self, principal: Principal, model: str, operation: Operation) -> Target:
        """Where the call goes; a model may retire at midnight."""
        today = clock.local_day(clock.now())
        return self._memory.recall(_find_target, principal.role, model, operation, today)

    def list_exams_ahead(self, user_id: int) -> list[ExamWindow]:
        (are_ahead,) = self._memory.recall(are_exams_ahead)
        return self._memory.recall(list_exams_ahead, user_id) if are_ahead else []

    def choose_rules(self, principal: Principal, *, at: datetime) -> Sequence[Rule]:
        """The rules that hold for the person at this instant."""
        return self._memory.recall(_find_candidates, *_facts_about(principal)).choose(at)

    def list_ways(self, rules: Sequence[Rule], asked: Asked, *, at: datetime) -> list[tuple[Demand, ...]]:
        """The ways a call may be paid for under these rules."""
        terms = self._memory.recall(list_term_windows) if any(rule.period == Period.TERM for rule in rules) else []
        return list_ways(rules, asked=asked, at=at, terms=terms, pool=self.find_pool(asked.course_id))

    def find_pool(self, course_id: int | None) -> Pool | None:
        """The course's pool, if it has one that is open."""
        return None if course_id is None else self._memory.recall(list_open_pools).get(course_id)


class _Candidates:
    """The rules that may hold for one person, now or later, and those that do until one begins or ends."""

    def __init__(self, facts: Facts, rules: Sequence[Rule]) -> None:
        self._facts, self._rules = facts, rules
        self._turns = sorted({turn for rule in rules for turn in (rule.starts_at, rule.ends_at) if turn is not None})
        self._chosen: Sequence[Rule] = ()
        self._from: datetime | None = None
        self._until: datetime | None = None

    def choose(self, at: datetime) -> Sequence[Rule]:
        if self._from is None or at < self._from or (self._until is not None and at >= self._until):
            self._chosen = choose_rules(self._rules, facts=self._facts, at=at)
            self._from = at
            self._until = next((turn for turn in self._turns if turn > at), None)
        return self._chosen


def _facts_about(person: Principal) -> tuple[int, Role, int | None]:
    return person.user_id, person.role, person.department_id


def _find_candidates(user_id: int, role: Role, department_id: int | None) -> _Candidates:
    ((facts, rules),) = list_candidates([Principal(user_id, role, department_id)])
    return _Candidates(facts, rules)


def _find_target(role: Role, model: str, operation: Operation, _today: date) -> Target:
    return find_target(Principal(0, role), model, operation)
