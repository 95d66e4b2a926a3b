"""From the bytes of an uploaded file to what an AI model may read: its kind by its content, its text, its picture.

Nothing is believed of a file but its bytes: not its name, not what the browser calls it. Bytes that need a decoder are
opened by another process (chat.parsing).
"""

import codecs
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.types import FileKind
from core.errors import InvalidRequest
from core.text import is_printable, one_line

LONGEST_NAME = 100
LONGEST_SIDE = 2048  # pixels: providers look at no more
_SECONDS = 10  # of processor time for one file
_PATIENCE = 20  # seconds on the clock, on a busy machine
_MEMORY = 1024**3  # bytes of address space
_PARSER = str(Path(__file__).with_name("parsing.py"))

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_ZIP = gettext_lazy("Word, Excel and other packed files are not opened. Save it as PDF or as text, and attach that.")
_NO_PICTURE = gettext_lazy("Pictures of this kind are not opened. Save it as PNG or JPEG, and attach that.")
# By how the file begins; the first that fits.
_REFUSED: tuple[tuple[bytes, str | Promise], ...] = (
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"\xd0\xcf\x11\xe0", _ZIP),
    (b"\x1f\x8b", _ZIP),
    (b"7z\xbc\xaf", _ZIP),
    (b"Rar!", _ZIP),
    (b"BZh", _ZIP),
    (b"\xfd7zXZ", _ZIP),
    (b"BM", _NO_PICTURE),
    (b"II*\x00", _NO_PICTURE),
    (b"MM\x00*", _NO_PICTURE),
)

_PROBLEMS: dict[str, str | Promise] = {
    "damaged": gettext_lazy("This file is damaged: it could not be read."),
    "encrypted": gettext_lazy("This PDF is protected by a password. Save it without one, and attach that."),
    "no_text": gettext_lazy("There is no text in this PDF, only pictures of it. Attach its pages as pictures."),
    "too_many_pixels": gettext_lazy("This picture is too large. Make it smaller, and attach that."),
    "too_heavy": gettext_lazy("To read this file takes too long. Attach a simpler or a smaller one."),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was in a file.

    Args:
        text: of a text or a PDF; `is_cut` when the file went on after it.
        picture: JPEG, written anew.
    """

    kind: FileKind
    text: str = ""
    is_cut: bool = False
    pages: int = 0
    picture: bytes = b""
    width: int = 0
    height: int = 0


def read_file(data: bytes) -> Reading:
    """What is in the file.

    Raises:
        InvalidRequest: nothing that may be sent to a model; the sentence says why and what to do.
    """
    if not data:
        raise _refused(_("This file is empty."))
    if len(data) > settings.ATTACHMENT_BYTES:
        raise _refused(
            _("This file is larger than %(most)s, the most that can be attached.")
            % {"most": filesizeformat(settings.ATTACHMENT_BYTES)}
        )
    if data.startswith(b"%PDF-"):
        return _read_pdf(data)
    if data.startswith(_PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return _read_picture(data)
    return _read_text(data)


def clean_name(name: str, kind: FileKind) -> str:
    """A name to show and to save under: one line, no folders, nothing that hides or turns letters."""
    last = re.split(r"[\\/]", name)[-1]
    line = one_line("".join(c for c in last if c not in '<>:"|?*')).strip(". ")
    if len(line) > LONGEST_NAME:
        head, dot, ending = line.rpartition(".")
        keeps_ending = bool(dot) and len(ending) <= 8
        line = f"{head[: LONGEST_NAME - 10]}….{ending}" if keeps_ending else one_line(line, longest=LONGEST_NAME)
    return line or str(kind.label)


def _read_pdf(data: bytes) -> Reading:
    wish = {"kind": "pdf", "pages": settings.ATTACHMENT_PAGES, "characters": settings.ATTACHMENT_CHARACTERS}
    found, text = _parse(data, wish)
    return Reading(FileKind.PDF, text=_clean(text.decode()), is_cut=found["is_cut"], pages=found["pages"])


def _read_picture(data: bytes) -> Reading:
    found, picture = _parse(data, {"kind": "picture", "pixels": settings.ATTACHMENT_PIXELS, "side": LONGEST_SIDE})
    return Reading(FileKind.PICTURE, picture=picture, width=found["width"], height=found["height"])


def _parse(data: bytes, wish: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What chat.parsing finds in the file, in a process of its own without an environment."""
    wish |= {"memory": _MEMORY, "seconds": _SECONDS}
    try:
        done = subprocess.run(  # noqa: S603  our own program; the file is its input, never its name
            [sys.executable, "-I", "-X", "utf8", _PARSER, json.dumps(wish)],
            input=data,
            capture_output=True,
            timeout=_PATIENCE,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(_PROBLEMS["too_heavy"]) from error
    line, _newline, made = done.stdout.partition(b"\n")
    # It was killed at a bound, or stumbled over the file, before it could speak.
    found = json.loads(line) if line else {"problem": "too_heavy" if done.returncode < 0 else "damaged"}
    if problem := found.get("problem"):
        raise _refused(_PROBLEMS[problem])
    return found, made


def _read_text(data: bytes) -> Reading:
    for start, why in _REFUSED:
        if data.startswith(start):
            raise _refused(why)
    if data[4:8] == b"ftyp":  # HEIC and its relatives, and films
        raise _refused(_NO_PICTURE)
    text = _decode(data)
    if _is_svg(text):
        raise _refused(
            _("SVG drawings are not taken, because they can hold programs. Save it as PNG, and attach that.")
        )
    most = settings.ATTACHMENT_CHARACTERS
    kept = _clean(text[: 2 * most])
    if not kept:
        raise _refused(_("There is no text in this file."))
    return Reading(FileKind.TEXT, text=kept[:most], is_cut=len(kept) > most or len(text) > 2 * most)


def _is_svg(text: str) -> bool:
    head = text[:4096].lstrip("\ufeff \t\r\n").lower()
    return head.startswith("<") and "<svg" in head and "<html" not in head


def _decode(data: bytes) -> str:
    """The text in the encoding that its bytes tell.

    Raises:
        InvalidRequest: it is no text, or its encoding cannot be told.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _decoded(data, encoding) or _not_text()
    if b"\0" in data:
        return _not_text()
    text = _decoded(data, "utf-8")
    if text is not None:
        return text
    best = max((_decoded(data, "big5hkscs"), _decoded(data, "gb18030")), key=_likeness)
    if best is None or _likeness(best) < _LIKELY:
        raise _refused(_("It cannot be told in which encoding this text was saved. Save it as UTF-8, and attach that."))
    return best


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _not_text() -> str:
    raise _refused(_("This file is neither text nor a PDF nor a picture that can be opened."))


# The commonest characters of running Chinese, in both scripts: bytes read in the wrong encoding hardly ever give them.
_COMMON = frozenset(
    "的一是不了在人有我他這这個个們们中來来上大為为和國国地到以說说時时要就出會会可也你對对生能而子那得於于著着下自之年"
    "過过發发後后作裡里用道行所然家種种事成方多經经麼么去法學学如都同現现當当沒没動动面起看定天分還还進进好小部其些主樣样理心"
    "，。、「」：；？！（）"
)
_LIKELY = 0.08  # of the characters beyond ASCII; running Chinese has about a third


def _likeness(text: str | None) -> float:
    beyond = [c for c in (text or "")[:20_000] if ord(c) > 127]
    return sum(c in _COMMON for c in beyond) / len(beyond) if beyond else 0.0


def _clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in "\n\t" or is_printable(c)).strip()


def _refused(why: str | Promise) -> InvalidRequest:
    return InvalidRequest(why, param="file")
