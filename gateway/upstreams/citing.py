"""The pages an AI model names beside its words (`annotations`). Nothing is fetched, and nothing of them is believed.

Clients get a provider's annotations as it wrote them; what the chat page keeps of them is bounded here.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from core.text import is_printable, one_line
from gateway.types import Citation

MOST = 50  # in one piece
LONGEST_URL = 2000
LONGEST_TITLE = 200


def citations_of(delta: Mapping[str, Any]) -> tuple[Citation, ...]:
    """The pages that a delta, or a whole message, of a chat completion names; what is odd about them is left out."""
    annotations = delta.get("annotations")
    if not isinstance(annotations, list):
        return ()
    found = (_citation_of(annotation) for annotation in annotations[:MOST])
    return tuple(citation for citation in found if citation)


def flat(annotation: object) -> dict[str, Any] | None:
    """An annotation of a chat completion as /v1/responses writes it: its fields beside its type; None for no object."""
    if not isinstance(annotation, dict):
        return None
    kind = annotation.get("type")
    inner = annotation.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **inner} if isinstance(inner, dict) else annotation


def _citation_of(annotation: object) -> Citation | None:
    told = flat(annotation)
    if told is None or told.get("type") != "url_citation":
        return None
    url, title = told.get("url"), told.get("title")
    if not isinstance(url, str) or not _is_address(url):
        return None
    return Citation(url, one_line(title[: 2 * LONGEST_TITLE], longest=LONGEST_TITLE) if isinstance(title, str) else "")


def _is_address(url: str) -> bool:
    """Whether it is an address of the web and of nothing else, with no name or password in it."""
    if len(url) > LONGEST_URL or not all(map(is_printable, url)) or any(map(str.isspace, url)):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
