"""Searching my own chats: titles first, then what was said, with the words marked."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.authentication import principal_of, role_required
from chat import selectors
from chat.models import Conversation, Message
from core.text import one_line

LONGEST = 120  # characters of what is searched for
MOST_WORDS = 8
AROUND = 80  # characters shown on either side of the first hit
_MARKS = re.compile(r"```\w*|`|\*\*|^ {0,3}(?:#{1,6}|>) ", re.MULTILINE)  # of Markdown: they say nothing on one line


@dataclass(frozen=True, slots=True)
class Hit:
    """One message or title that was found, with the words marked."""

    conversation: Conversation
    message: Message | None
    shown: SafeString


@never_cache
@require_safe
@role_required()
def search(request: HttpRequest) -> HttpResponse:
    """What was found for `q`; `before` goes on from an earlier page."""
    user_id = principal_of(request.user).user_id
    asked = one_line(request.GET.get("q", ""), longest=LONGEST)
    words = asked.split()[:MOST_WORDS]
    before = moment(request.GET.get("before", ""))
    titles = selectors.search_titles(user_id, words) if words and not before else []
    messages = selectors.search_messages(user_id, words, before=before) if words else []
    context = {
        "asked": asked,
        "titles": [Hit(found, None, marked(found.title, words)) for found in titles],
        "hits": [Hit(found.conversation, found, marked(_around(found.text, words), words)) for found in messages],
        "earlier": messages[-1].created_at if len(messages) == selectors.HITS_AT_ONCE else None,
    }
    return render(request, "chat/search.html", context)


def marked(text: str, words: list[str]) -> SafeString:
    """`text` as HTML with every occurrence of the words in <mark>; nothing of the text is taken for markup."""
    folded = text.lower()
    if len(folded) != len(text):  # a letter whose lower case is longer: mark nothing rather than the wrong place
        return SafeString(escape(text))
    spans: list[tuple[int, int]] = []
    for word in words:
        start = folded.find(word.lower())
        while start >= 0:
            spans.append((start, start + len(word)))
            start = folded.find(word.lower(), start + len(word))
    pieces, at = [], 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < at:
            continue
        pieces += [escape(text[at:start]), "<mark>", escape(text[start:end]), "</mark>"]
        at = end
    return SafeString("".join([*pieces, escape(text[at:])]))


def _around(text: str, words: list[str]) -> str:
    """The stretch of a text around the first word that is found in it, on one line."""
    folded = text.lower()
    found = min((n for n in (folded.find(word.lower()) for word in words) if n >= 0), default=0)
    start, end = max(0, found - AROUND), found + 2 * AROUND
    return ("…" if start else "") + one_line(_MARKS.sub("", text[start:end])) + ("…" if end < len(text) else "")


def moment(value: str) -> datetime | None:
    """The time an address names; None when it is none."""
    try:
        moment = parse_datetime(value) if value else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else None
