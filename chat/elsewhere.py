"""What whoever writes an answer and followers in other processes tell each other at once (docs/decisions/0040).

The row is the truth, and all there is while nothing is heard. What is heard counts as far as it goes on from there.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from chat.types import Place, Snapshot
from core.news import News

LONGEST = 65_536  # characters of a piece; what is longer is told in several

# What is said beside places, by who asks for the words from there on, and pieces, by who has them.
_STOP, _END = b"stop", b"end"

news = News(settings.REDIS_URL)


class Teller:
    """Beside who writes an answer: tells other processes its words, from where they know it, once one has asked."""

    def __init__(self, answer_id: UUID, *, read: Callable[[], tuple[str, str]], stop: Callable[[], None]) -> None:
        """To `read` it (text and thought so far), and to `stop` it."""
        self._asked, self._told = _channels(answer_id)
        self._read, self._stop = read, stop
        self._at = Place()  # all who listen know it up to here
        self._is_heard = False
        news.listen(self._asked, self._heed)

    def tell(self) -> None:
        """It has grown."""
        if self._is_heard and self._at != Place(*map(len, self._read())):
            news.tell(self._told, self._next_piece, self._be_unheard)

    def end(self) -> None:
        """Its row says how it has ended."""
        news.leave(self._asked)
        if self._is_heard:
            news.tell(self._told, _say_end)

    def _heed(self, wish: bytes) -> None:
        if wish == _STOP:
            self._stop()
            return
        text, thought = json.loads(wish)
        self._at = Place(min(text, self._at.text), min(thought, self._at.thought))
        self._is_heard = True
        self.tell()

    def _next_piece(self) -> bytes:
        at, (text, thought) = self._at, self._read()
        text = text[at.text : at.text + LONGEST]
        thought = thought[at.thought : at.thought + LONGEST]
        self._at = Place(at.text + len(text), at.thought + len(thought))
        self.tell()  # the rest, if there is one
        return json.dumps([[at.text, text], [at.thought, thought]]).encode()

    def _be_unheard(self) -> None:
        self._is_heard = False


class Hearer:
    """An answer that another process writes: how far it has come by its row, and by what is heard beyond."""

    def __init__(self, answer_id: UUID) -> None:
        self._asked, self._told = _channels(answer_id)
        self.followers = 0
        self.snapshot: Snapshot | None = None  # None: only the row can tell
        self.changed = asyncio.Event()

    def read(self, row: Snapshot) -> None:
        """Take what the row says, and what was heard if it goes on from there; ask for the words after it."""
        known = self.snapshot
        if not (known and known.text.startswith(row.text) and known.thought.startswith(row.thought)):
            self.snapshot = row
        news.listen(self._told, self._hear)
        news.tell(self._asked, self._ask)

    def leave(self) -> None:
        news.leave(self._told)

    def _ask(self) -> bytes:
        place = self.snapshot.place if self.snapshot else Place()
        return json.dumps([place.text, place.thought]).encode()

    def _hear(self, told: bytes) -> None:
        known = self.snapshot
        if told == _END:
            self.snapshot = None
        elif known:
            (text_at, text), (thought_at, thought) = json.loads(told)
            text, thought = _extend(known.text, text_at, text), _extend(known.thought, thought_at, thought)
            self.snapshot = replace(known, text=text, thought=thought)
        if self.snapshot != known:
            bell, self.changed = self.changed, asyncio.Event()
            bell.set()


def stop(answer_id: UUID) -> None:
    """Have whoever writes it stop; a process that does not hear this sees the row's `wants_stop`."""
    asked, _told = _channels(answer_id)
    news.tell(asked, _say_stop)


@contextmanager
def following(answer_id: UUID) -> Iterator[Hearer]:
    """What all who follow an answer in this process hear of it; gone with the last of them."""
    hearer = _hearers.setdefault(answer_id, Hearer(answer_id))
    hearer.followers += 1
    try:
        yield hearer
    finally:
        hearer.followers -= 1
        if not hearer.followers:
            del _hearers[answer_id]
            hearer.leave()


_hearers: dict[UUID, Hearer] = {}


def _extend(known: str, at: int, piece: str) -> str:
    """With the piece, if it begins within what is known and says the same as far as that goes; else as it was."""
    rest = known[at:]
    return known + piece[len(rest) :] if at <= len(known) and piece.startswith(rest) else known


def _channels(answer_id: UUID) -> tuple[str, str]:
    """Where whoever writes it is asked, and where it is told."""
    return f"answers/{answer_id}/asked", f"answers/{answer_id}/told"


def _say_stop() -> bytes:
    return _STOP


def _say_end() -> bytes:
    return _END
