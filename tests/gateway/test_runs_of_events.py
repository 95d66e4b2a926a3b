"""Events that come in one read are one chunk where they differ in their texts alone, and are read as any others."""

import orjson
import pytest

from gateway.errors import UpstreamError
from gateway.types import Chunk
from gateway.upstreams.replies import ChatReader


def event(text: str, *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    answer = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "theirs", "choices": [choice]}
    return b"data: " + orjson.dumps(answer) + b"\n\n"


def read(*pieces: bytes, model: str, is_singly: bool) -> list[Chunk]:
    reader = ChatReader(model=model, shows_usage=False, is_singly=is_singly)
    return [chunk for piece in pieces for chunk in reader.feed(piece)]


def framed(chunks: list[Chunk]) -> bytes:
    return b"".join(b"data: %b\n\n" % chunk.data for chunk in chunks if chunk.data)


def test_what_comes_in_one_read_is_one_chunk() -> None:
    first, run = read(event("one"), event(" two") + event(" drei") + event(" 四"), model="ours", is_singly=False)

    assert (first.text, run.text) == ("one", " two drei 四")
    assert [part["model"] for part in map(orjson.loads, run.data.split(b"\n\ndata: "))] == ["ours"] * 3


@pytest.mark.parametrize("model", ["ours", "theirs"])
@pytest.mark.parametrize(
    "piece",
    [
        event("a") + event("b") + event("c"),
        event("a") + event('she said "b"') + event("c"),
        event("a\n") + event("b"),
        event("a") + event("") + event("b"),
        event("a") + b": ping\n\n" + event("b"),
        event("a") + b"\n\n" + event("b"),
        event("a") + event("b")[:-9],
        event("a")[9:] + event("b"),
        event("a") + event("b", finish="stop") + b"data: [DONE]\n\n",
        event("a").replace(b"\n", b"\r\n") + event("b"),
    ],
)
def test_a_run_says_what_its_events_say_one_by_one(piece: bytes, model: str) -> None:
    pieces = (event("first"), piece, event("d") + event("e"))

    together, singly = (read(*pieces, model=model, is_singly=is_singly) for is_singly in (False, True))

    assert framed(together) == framed(singly)
    assert "".join(chunk.text for chunk in together) == "".join(chunk.text for chunk in singly)


def test_a_run_of_broken_text_is_a_failure() -> None:
    reader = ChatReader(model="ours", shows_usage=False)
    reader.feed(event("first"))
    reader.feed(event("a") + event("#").replace(b"#", b"\xff"))

    assert reader.is_over
    with pytest.raises(UpstreamError):
        reader.finish()
