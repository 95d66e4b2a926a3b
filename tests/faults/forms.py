"""Forms with pictures that nobody should send: each with the Content-Type it is sent under (see nonsense.py)."""

import base64
import io
import random
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

PATH = "/v1/images/edits"
KIND = "multipart/form-data; boundary=b"
END = b"--b--\r\n"
FIELDS = {"model": "image-streams", "prompt": "a harbor"}


class Form(NamedTuple):
    """A form's bytes, what its sender calls them, and in words where the trick is."""

    trick: str
    data: bytes
    kind: str = KIND


def draw(kind: str, size: int = 8) -> bytes:
    """A picture; of the kind MPO, with another behind it."""
    file, picture = io.BytesIO(), Image.new("RGB", (size, size), "teal")
    more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
    picture.save(file, kind, **more)
    return file.getvalue()


PNG = draw("PNG")
IMAGE = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png'


def _part(head: bytes, value: bytes) -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


def _field(name: str, text: str) -> bytes:
    return _part(f'Content-Disposition: form-data; name="{name}"'.encode(), text.encode())


def _write(*parts: bytes, **fields: str) -> bytes:
    """The form with these parts beside its fields."""
    written = {**FIELDS, **fields}
    return b"".join([*(_field(name, text) for name, text in written.items()), *parts, END])


PICTURE = _part(IMAGE, PNG)
GOOD = _write(PICTURE)

KINDS = [
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other",
    "multipart/form-data; boundary=" + "b" * 300, 'multipart/form-data; boundary="b',
    "multipart/form-data; boundary=\xe9", "multipart/form-data; boundary*=nonsense'x'b",
    "multipart/form-data; boundary*=utf-8''%ff", "multipart/form-data; boundary*0=b; boundary*=b",
    "multipart/form-data; boundary=b; boundary=c", "multipart/form-data;;;=;boundary=b",
    "Multipart/Form-Data; Boundary=b", "multipart/mixed; boundary=b", "multipart/form-data-x; boundary=b",
    "application/json", "application/x-www-form-urlencoded", "text/plain", "image/png", "x" * 5000, "",
]  # fmt: skip
HEADS = [
    b"", b"Content-Disposition: form-data", b"Content-Disposition: attachment", b"no colon", b": image", IMAGE[:-9],
    b'Content-Disposition: form-data; name="image"', b'Content-Disposition: form-data; name="image"; filename=""',
    b'Content-Disposition: form-data; name="image"; filename="../../etc/passwd"', b'Content-Type: image/png\r\n' * 200,
    b'Content-Disposition: form-data; name="image"; filename="' + b"a" * 5000 + b'"',
    IMAGE + b"\r\nX: " + b"x" * 100_000, b'Content-Disposition: form-data; name="image"; filename="\xff\xfe.png"',
    b"\r\n" * 3000 + IMAGE, b'Content-Disposition: form-data; name="\xff"; filename="a.png"',
    b'Content-Disposition: form-data; name=""; filename=x', b'Content-Disposition: form-data; name="\xff\xfe"',
    b"\x00" + IMAGE, IMAGE.replace(b"form-data", b"form-data\x00"),
    b"Content-Disposition: form-data; name=image; filename*=utf-8''%ff%fe", IMAGE + b"\r\n folded",
    b"Content-Disposition: form-data; name=image; filename*=nonsense''x", IMAGE + b"; charset=nonsense",
    b"Content-Disposition: form-data; name*0=im; name*=age; filename=a", IMAGE + b"\r\nContent-Length: -1",
    b"Content-Disposition: form-data; name=mask; name=image; filename=a",
    IMAGE + b"\r\nContent-Transfer-Encoding: base64",
    b'Content-Disposition: form-data; name="\xe2\x80\xae"; filename="a"',
    IMAGE + b"\r\nContent-Transfer-Encoding: gzip", b'Content-Disposition: form-data; name="__class__"; filename="a"',
    b"content-disposition:form-data;name=image;filename=a",
]  # fmt: skip
BYTES = [
    b"", b"\x00", b"hello", b"<svg onload='x'/>", b"%PDF-1.7", PNG[:20], PNG[:-12], PNG[8:], PNG + PNG,
    b"\r\n--b--\r\n", b"--b", b"\r\n--b\r\n" * 50, base64.b64encode(PNG), PNG[:16] + b"\xff" * 8 + PNG[24:],
    PNG[:16] + b"\x00" * 8 + PNG[24:], b"\x89PNG\r\n\x1a\n" + b"\xff" * 500, b"\xff\xd8\xff" + b"\x00" * 500,
    b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 500, draw("JPEG")[:200], draw("WEBP")[:40], draw("GIF"),
    draw("BMP"), draw("MPO"), draw("PNG", 7000),
]  # fmt: skip
TEXTS = [
    "", " ", "0", "-0", "-1", "1", "01", "4", "11", "101", "1.0", "1e3", "0x1", "NaN", "null", "[]", "true", "false",
    "True", "TRUE", "٣", "99999999", "99999999999999999999", "9" * 5000, "\x00", "\u202e", "\ud7ff\uffff", "1\r\n",
    "x" * 50_000,
]  # fmt: skip
ASKED = [
    "model", "prompt", "n", "size", "stream", "partial_images", "output_compression", "quality", "image", "other", "",
]  # fmt: skip
# What random forms are broken with.
SCRAPS = [
    b"\r\n", b"\r\n\r\n", b"--b", b"--b--", b"--", b'"', b";", b"=", b"*", b"%", b"'", b":", b"\x00", b"\xff",
    b"\xe2\x80\xae", b"a" * 3000, b"filename*=utf-8''%ff", b"filename*=nonsense''x", b"; name*0=a; name*=b",
    b"; name=n", b"; filename=x", b"stream", b"true", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Length: -1\r\n",
]  # fmt: skip


def list_forms() -> Iterator[Form]:
    """Every trick in every place."""
    for number, kind in enumerate(KINDS):
        yield Form(f"kind {number}", GOOD, kind)
    for number, head in enumerate(HEADS):
        yield Form(f"head {number}", _write(_part(head, PNG)))
    for number, data in enumerate(BYTES):
        yield Form(f"picture {number}", _write(_part(IMAGE, data)))
        yield Form(f"mask {number}", _write(PICTURE, _part(IMAGE.replace(b'"image"', b'"mask"'), data)))
    for name in ASKED:
        for number, text in enumerate(TEXTS):
            yield Form(f"{name} {number}", _write(PICTURE, **{name: text}))
    for number, data in enumerate(_list_shapes()):
        yield Form(f"shape {number}", data)


def _list_shapes() -> list[bytes]:
    nested = b"--c\r\n" + IMAGE + b"\r\n\r\n" + PNG + b"\r\n--c--\r\n"
    return [
        b"", END, END + GOOD, b"--b", b"--b\r\n", b"--b\r\n\r\n", b"--b\r\n" * 5000, b"-" * 50_000, b"\r\n" * 50_000,
        GOOD.removesuffix(END), GOOD[: -len(END) - 40], GOOD[:100], GOOD[:150], GOOD.replace(b"\r\n", b"\n"),
        GOOD.replace(b"\r\n", b"\r"), b"before" + GOOD, GOOD + b"after" * 1000, GOOD + GOOD,
        GOOD.replace(b"--b", b"--B"), _write(), _write(PICTURE, PICTURE),
        _write(PICTURE, PICTURE.replace(b'"image"', b'"image[]"')), _write(PICTURE * 17), _write(PICTURE * 300),
        _write(PICTURE, _field("n", "2"), _field("n", "x")), _write(PICTURE, _field("x", "y") * 1500),
        _write(PICTURE, _field("image", "a.png")), _write(PICTURE, **{f"field{number}": "" for number in range(1500)}),
        _write(_part(b"Content-Type: multipart/mixed; boundary=c", nested)),
        _write(_part(IMAGE.replace(b"image/png", b"multipart/mixed; boundary=c"), nested)),
        _write(_part(IMAGE.replace(b"image/png", b"multipart/form-data; boundary=b"), GOOD)),
    ]  # fmt: skip


def break_form(dice: random.Random) -> Form:
    """A form with scraps thrown into it, mostly where its heads are, and sometimes into its Content-Type."""
    raw, kind = bytearray(GOOD), KIND
    for _ in range(dice.choice([0, 1, 1, 2, 4, 10])):
        place = dice.randrange(dice.choice([len(GOOD) - len(PNG), len(GOOD)]))
        raw[place : place + dice.randint(0, 4)] = dice.choice([*SCRAPS, dice.randbytes(3)])
    if dice.random() < 0.2:
        place = dice.randrange(len("multipart/form-data"), len(KIND) + 1)
        kind = kind[:place] + dice.choice([";", "=", "*", "'", '"', "b", "*0=", "\xff", "x'y'"]) + kind[place:]
    return Form("form", bytes(raw), kind)
