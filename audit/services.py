"""The only writer of the audit log: `record` one act, in the transaction that does it."""

import getpass
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction

from audit import chain
from audit.models import Entry
from audit.selectors import find_last
from audit.types import Actor, Through
from core import clock
from core.locks import lock
from core.text import one_line

_actor: ContextVar[Callable[[], Actor] | None] = ContextVar("actor", default=None)


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Inside, and only for whoever runs inside, what is recorded is done by `who()`, asked at the moment it is done."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


@transaction.atomic(savepoint=False)
def record(
    action: str,
    *,
    subject: str,
    name: str = "",
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Entry:
    """Write down one act of whoever is acting now. Call it last in the transaction that acts: it locks the chain.

    The lock is held until that transaction ends, so recorded acts happen one after another. Calls to models are no acts
    and never come here: the ledger is their evidence.

    Args:
        action: what was done, as `subject.verb`, such as `person.suspend`.
        subject: to what, as `kind/id`, such as `person/12`; the id alone where there is only one.
        name: how people call it now, such as an e-mail address.
        changes: by field what was and what is, as `differences` makes it; counts and the like as `[None, value]`.
        reason: what was given as the reason.
    """
    lock("audit_entry")
    actor = (_actor.get() or _unattended)()
    last = find_last()
    entry = Entry(
        number=last.number + 1 if last else 1,
        at=clock.now(),
        actor_id=actor.user_id,
        actor=one_line(actor.name, longest=254),
        through=actor.through,
        address=actor.address,
        action=action,
        subject=one_line(subject, longest=160),
        name=one_line(name, longest=254),
        changes={field: [_plain(old), _plain(new)] for field, (old, new) in (changes or {}).items()},
        reason=one_line(reason, longest=500),
    )
    entry.seal = chain.seal_of(entry.content(), last.seal if last else chain.FIRST)
    entry.save(force_insert=True)
    written = partial(chain.write_anchor, clock.local_day(clock.now()), entry.number, entry.seal)
    transaction.on_commit(written, robust=True)  # a full disk must not turn a deed that is done into an error
    return entry


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What differs between two states, by field: what was and what is. A field absent before was None."""
    return {field: [before.get(field), value] for field, value in after.items() if before.get(field) != value}


def anchor() -> None:
    """Anchor the newest entry under today, also on a day without acts: its file shows that nobody was asleep."""
    last = find_last()
    if last is not None:
        chain.write_anchor(clock.local_day(clock.now()), last.number, last.seal)


def note_restore() -> Entry:
    """A backup was put back by an operator: later anchors ask for nothing, and the log says so from here on."""
    last = find_last()
    chain.void_anchors(clock.local_day(clock.now()), last.number if last else 0)
    return record("installation.restore", subject="installation")


def _unattended() -> Actor:
    """Nobody signed in: an operator's command, or the product itself."""
    if Path(sys.argv[0]).name == "manage.py" and len(sys.argv) > 1:
        return Actor(name=f"manage.py {sys.argv[1]} ({getpass.getuser()})", through=Through.COMMAND)
    return Actor()


def _plain(value: Any) -> Any:
    """A value as JSON keeps it: numbers, truths and nothing as they are, everything else as text."""
    if isinstance(value, str):
        return one_line(value, longest=2000)
    return value if value is None or isinstance(value, bool | int) else str(value)
