"""Small work on text."""

import pytest

from core.text import join_sentences


@pytest.mark.parametrize(
    ("sentences", "joined"),
    [
        (["Ask first.", "No teacher can open this chat."], "Ask first. No teacher can open this chat."),
        (["先問老師。", "教師不能打開這段對話。"], "先問老師。教師不能打開這段對話。"),
        (["Only one."], "Only one."),
        ([], ""),
    ],
)
def test_sentences_are_joined_as_their_script_joins_them(sentences: list[str], joined: str) -> None:
    assert join_sentences(sentences) == joined
