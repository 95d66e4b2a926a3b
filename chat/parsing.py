"""The program that opens one file from outside: started for that file alone, bounded in memory and time.

It imports nothing of the house: no settings, no database, no secrets. A decoder that crashes, swells or never ends
takes nobody with it: whatever a library raises that is not named here ends the program, and the file counts as damaged.
`python -I chat/parsing.py WISH` reads the file on its standard input and writes one line of JSON with what it found, or
the `problem`, and after the line the bytes of the text or picture.
"""

import io
import json
import resource
import sys
import warnings
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from pypdf import PasswordType, PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

Found = tuple[dict[str, Any], bytes]


class Unreadable(Exception):
    """The file cannot be used; the word says why, and the house has the sentence for it."""


def read_picture(data: bytes, wish: dict[str, Any]) -> Found:
    """The pixels alone, upright, on white, at most `side` wide and high, as JPEG."""
    Image.MAX_IMAGE_PIXELS = wish["pixels"]
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    side = (wish["side"], wish["side"])
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF")) as picture:
            if picture.width * picture.height > wish["pixels"]:
                raise Unreadable("too_many_pixels")
            picture.draft("RGB", side)
            colored = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            orientation = picture.getexif()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Unreadable("too_many_pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Unreadable("damaged") from error
    colored.thumbnail(side)
    if colored.mode == "RGBA":
        colored = Image.alpha_composite(Image.new("RGBA", colored.size, "white"), colored).convert("RGB")
    colored.getexif().update(orientation)
    colored = ImageOps.exif_transpose(colored)
    colored.info.clear()
    file = io.BytesIO()
    colored.save(file, "JPEG", quality=85)
    return {"width": colored.width, "height": colored.height}, file.getvalue()


def read_pdf(data: bytes, wish: dict[str, Any]) -> Found:
    """The text of the first pages, until there is enough of it."""
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise Unreadable("encrypted")
        pages = len(reader.pages)
        texts: list[str] = []
        length = 0
        for page in reader.pages[: wish["pages"]]:
            texts.append(page.extract_text().strip())
            length += len(texts[-1]) + 2
            if length > wish["characters"]:
                break
    except LimitReachedError as error:
        raise Unreadable("too_heavy") from error
    except (PyPdfError, NotImplementedError) as error:
        raise Unreadable("damaged") from error
    text = "\n\n".join(texts)
    if not text.strip():
        raise Unreadable("no_text")
    is_cut = len(text) > wish["characters"] or len(texts) < pages
    return {"pages": pages, "is_cut": is_cut}, text[: wish["characters"]].encode(errors="replace")


READERS: dict[str, Callable[[bytes, dict[str, Any]], Found]] = {"picture": read_picture, "pdf": read_pdf}


def main() -> None:
    """Read the one file."""
    wish = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (wish["memory"], wish["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (wish["seconds"], wish["seconds"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        found, made = READERS[wish["kind"]](sys.stdin.buffer.read(), wish)
    except Unreadable as problem:
        found, made = {"problem": str(problem)}, b""
    except MemoryError:
        found, made = {"problem": "too_heavy"}, b""
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + made)


if __name__ == "__main__":
    main()
