"""What a provider calls a picture, turned into one we made ourselves: decoded, checked, written anew as PNG."""

import base64
import binascii
import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

MOST_BYTES = 32 * 1024 * 1024
MOST_PIXELS = 4096 * 4096
_FORMATS = ("PNG", "JPEG", "WEBP")
PLACEHOLDER_MARK = "placeholder, not made by AI"


class NotAPicture(ValueError):
    """The bytes are no picture we accept: unknown format, damaged, or too large."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture after re-encoding: PNG bytes and their SHA-256 in hexadecimal."""

    data: bytes
    digest: str
    width: int
    height: int


def repaint(encoded: str, *, is_placeholder: bool) -> Canvas:
    """The picture in `encoded` (base64) as a clean PNG, without anything the pixels do not say.

    All metadata of the sender is dropped; only a placeholder keeps a mark that says what it is.

    Raises:
        NotAPicture: it cannot be decoded, or passes MOST_BYTES or MOST_PIXELS.
    """
    if len(encoded) > MOST_BYTES * 4 // 3 + 4:
        raise NotAPicture("too many bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _repaint(base64.b64decode(encoded, validate=True), is_placeholder=is_placeholder)
    except (
        binascii.Error,
        UnidentifiedImageError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise NotAPicture("not decodable") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files of the three formats
        raise NotAPicture("damaged") from error


def _repaint(data: bytes, *, is_placeholder: bool) -> Canvas:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise NotAPicture("too many pixels")
        pixels = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    pixels.info.clear()
    mark = PngInfo()
    if is_placeholder:
        mark.add_text("Source", PLACEHOLDER_MARK)
    file = io.BytesIO()
    pixels.save(file, "PNG", pnginfo=mark)
    made = file.getvalue()
    return Canvas(data=made, digest=hashlib.sha256(made).hexdigest(), width=width, height=height)
