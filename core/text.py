"""Small work on text from people: what must hold before it is stored or shown."""

import csv
import io
import unicodedata
from collections.abc import Iterable

# Controls other than tab and line ends, and characters that reverse or hide the text around them.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(value: str, *, longest: int | None = None) -> str:
    """`value` on one line without control characters, cut at `longest` characters, if given, with an ellipsis."""
    kept = "".join(" " if c.isspace() else c for c in value if is_printable(c) or c.isspace())
    line = " ".join(kept.split())
    return line if longest is None or len(line) <= longest else line[: longest - 1].rstrip() + "…"


def join_sentences(sentences: Iterable[object]) -> str:
    """Sentences after one another. A full-width mark at the end of one is its own space (CLREQ, 3.1.4)."""
    joined = ""
    for sentence in map(str, sentences):
        space = " " if joined and unicodedata.east_asian_width(joined[-1]) not in "FW" else ""
        joined += space + sentence
    return joined


def is_printable(character: str) -> bool:
    """Whether the character is neither a control nor one that reorders its neighbors."""
    return unicodedata.category(character) != "Cc" and character not in _BIDIRECTIONAL


def read_id(written: str) -> int | None:
    """The number of a row, as an address or a form names it; None for what is none, or would not fit into 64 bits."""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 19 else None


_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # those of full width too


def neutral_cell(value: str) -> str:
    """`value` for a CSV cell: spreadsheets must not take it for a formula (OWASP, CSV injection)."""
    return f"'{value}" if value.startswith(_RUNS) else value


def csv_line(cells: Iterable[object]) -> str:
    """One line of a CSV file (RFC 4180): None as nothing, text neutral, numbers as they are."""
    line = io.StringIO()
    csv.writer(line).writerow([neutral_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue()
