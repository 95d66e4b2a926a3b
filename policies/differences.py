"""What differs between two wordings, word by word; Chinese, which has no spaces, sign by sign. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

_SIGNS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # each a word of its own
_WORDS = re.compile(rf"[{_SIGNS}]|[^\W{_SIGNS}]+|\s+|[^\w\s]")
_MOST_WORDS = 3000  # of one changed passage: beyond it nobody sees words, and comparing takes longer than it is worth


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: in both wordings, or only in the `new` or the `old` one."""

    text: str
    is_new: bool = False
    is_old: bool = False


def compare(old: str, new: str) -> list[Piece]:
    """The two texts as one, in pieces; those of the old one are the pieces that are not new, in order."""
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    pieces: list[Piece] = []
    for before, after in _passages(old_lines, new_lines):
        pieces += _compare_words("".join(before), "".join(after))
    return [
        Piece("".join(piece.text for piece in run), is_new=is_new, is_old=is_old)
        for (is_new, is_old), run in groupby(pieces, key=lambda piece: (piece.is_new, piece.is_old))
    ]


def _compare_words(old: str, new: str) -> Iterator[Piece]:
    if old == new:
        yield Piece(old)
        return
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(before), len(after)) > _MOST_WORDS:
        before, after = [old], [new]
    for was, is_now in _passages(before, after):
        if was == is_now:
            yield Piece("".join(was))
            continue
        if was:
            yield Piece("".join(was), is_old=True)
        if is_now:
            yield Piece("".join(is_now), is_new=True)


def _passages(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """What stands where in both: the same on both sides, or what became of what."""
    for _kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield old[a:b], new[c:d]
