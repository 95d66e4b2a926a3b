"""The seals of the chain, and their anchors outside the database.

A seal is HMAC-SHA-256, under a key that the database does not hold, over the seal before and the entry's own content:
whoever changes, moves or inserts a row cannot seal it. Cutting off the end or putting an old copy of the database back
leaves a chain that is whole, so number and seal of every new entry also go to a file beside the database, one a day.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings

FIRST = ""  # what stands before the first seal
_RESTORED = "restored"


def seal_of(content: Mapping[str, Any], previous: str) -> str:
    """The seal, hexadecimal, of an entry that follows the one sealed `previous`."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(settings.AUDIT_KEY.encode(), f"{previous}\n{canonical}".encode(), hashlib.sha256).hexdigest()


def write_anchor(day: date, number: int, seal: str) -> None:
    """Keep outside the database that entry `number` exists and carries `seal`."""
    _append(day, f"{number} {seal}")


def void_anchors(day: date, number: int) -> None:
    """A backup was restored whose last entry is `number`: anchors of later entries, written until now, ask nothing."""
    _append(day, f"{_RESTORED} {number}")


def read_anchors() -> dict[str, tuple[int, str]]:
    """Of each day the highest number that was anchored, with its seal."""
    anchors: dict[str, tuple[int, str]] = {}
    for file in sorted(_folder().glob("*.txt")):
        for line in file.read_text().splitlines():
            word, _space, rest = line.partition(" ")
            if word == _RESTORED:
                anchors = {day: anchor for day, anchor in anchors.items() if anchor[0] <= int(rest)}
            elif word.isdigit() and int(word) >= anchors.get(file.stem, (0, ""))[0]:
                anchors[file.stem] = (int(word), rest.strip())
    return anchors


def _append(day: date, line: str) -> None:
    _folder().mkdir(parents=True, exist_ok=True)
    # One write of one short line to a file opened for appending: processes do not tear each other's lines.
    handle = os.open(_folder() / f"{day:%Y-%m-%d}.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


def _folder() -> Path:
    return Path(settings.AUDIT_ANCHORS)
