"""Labelled cards in place of images, for an installation without an image model. No AI, and it says so."""

import base64
import hashlib
import io
import textwrap
from collections.abc import AsyncGenerator

import orjson
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from core import clock
from core.text import one_line
from core.threads import hop
from gateway.types import PICTURE_EVENTS, Call, Chunk, Target
from usage.types import Totals

LABEL = "PLACEHOLDER – no image model is configured"
_SIZES = {"256x256", "512x512", "1024x1024", "1024x1536", "1536x1024", "1024x1792", "1792x1024"}
_DEFAULT_SIZE = "1024x1024"
# The fonts of common systems that know Chinese; without one, Pillow's own draws boxes for it.
_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSansTC-Regular.otf", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc")


class Placeholder:
    """Draws the prompt on a card: the same prompt, the same bytes."""

    async def open(self, target: Target, call: Call) -> AsyncGenerator[Chunk, None]:
        """One chunk with `call.count` cards, shaped like an answer of the images API; of a stream, one for each."""
        prompt, size = str(call.body.get("prompt", "")), str(call.body.get("size", ""))
        cards = [await hop(draw, prompt, size=size, number=number) for number in range(call.count)]
        if call.stream:
            kind = f"{PICTURE_EVENTS[call.dialect]}.completed"
            for drawn, card in enumerate(cards, 1):
                event = {"type": kind, "b64_json": base64.b64encode(card).decode()}
                yield Chunk(orjson.dumps(event), has_content=True, totals=Totals(images=drawn), event=kind)
            return
        answer = {
            "created": int(clock.now().timestamp()),
            "data": [{"b64_json": base64.b64encode(card).decode()} for card in cards],
        }
        yield Chunk(data=orjson.dumps(answer), has_content=True, totals=Totals(images=len(cards)), finish_reason="stop")

    def list_model_names(self, target: Target) -> list[str]:
        """The one name there is."""
        return [target.upstream_model]

    async def close(self) -> None:
        """There is nothing to close."""


def draw(prompt: str, *, size: str, number: int) -> bytes:
    """A PNG of the prompt under the label, marked in its metadata; an unknown size means 1024x1024."""
    width, height = (int(side) for side in (size if size in _SIZES else _DEFAULT_SIZE).split("x"))
    hue = hashlib.sha256(f"{number} {prompt}".encode()).digest()[0] * 360 // 256
    card = Image.new("RGB", (width, height), f"hsl({hue}, 35%, 88%)")
    pen = ImageDraw.Draw(card)
    margin, line = width // 16, width // 24
    ink = f"hsl({hue}, 45%, 25%)"
    pen.rectangle((margin // 2, margin // 2, width - margin // 2, height - margin // 2), outline=ink, width=3)
    pen.text((margin, margin), LABEL, fill=ink, font=_font(width // 32))
    words = textwrap.fill(one_line(prompt, longest=400), width=34)
    pen.multiline_text((margin, margin + 2 * line), words, fill=ink, font=_font(line), spacing=line // 3)
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("Title", LABEL)
    notes.add_itxt("Description", one_line(prompt, longest=400))
    file = io.BytesIO()
    card.save(file, "PNG", pnginfo=notes)
    return file.getvalue()


def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, points)
        except OSError:
            continue
    return ImageFont.load_default(points)
