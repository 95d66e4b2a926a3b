"""A conversation as a document to keep or to hand in: Markdown, JSON, and HTML that word processors read. Pure.

A university asks its students to document their use of AI: every form names the AI model of each answer and the times.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.template.defaultfilters import filesizeformat
from django.utils.html import escape
from django.utils.translation import gettext as _

from chat.types import NamedPage


@dataclass(frozen=True, slots=True)
class File:
    """A file that went with a question: its name and size in bytes, and the SHA-256 of what was uploaded.

    Args:
        read: what the model was given: the text, or the picture as a data: URL. Asked for only where it is needed.
    """

    name: str
    kind: str
    size: int
    digest: str
    read: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One message: who wrote it, with which model, when, and what became of it ("" when complete).

    Args:
        thought: how the model came to its answer; data alone holds it, for it is no part of what was said.
        sources: the pages the model named, each with its title and address.
        opinion: what the person thought of the answer; data alone holds it too.
    """

    author: str
    is_model: bool
    model: str
    text: str
    at: datetime
    progress: str = ""
    files: Sequence[File] = ()
    thought: str = ""
    sources: Sequence[NamedPage] = ()
    opinion: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """One branch of a conversation.

    Args:
        tag: the course, or its assignment, the conversation is for; "" for none.
        site: the name of the gateway, and of its university.
        exported_at: when this document was made.
    """

    title: str
    person: str
    tag: str
    site: str
    began_at: datetime
    exported_at: datetime
    lines: Sequence[Line]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What stands above the conversation, by name."""
        models = list(dict.fromkeys(line.model for line in self.lines if line.is_model))
        return [
            (_("Asked by"), self.person),
            (_("With"), self.site),
            (_("AI models"), ", ".join(models)),
            *([(_("Course"), self.tag)] if self.tag else []),
            (_("Begun"), _stamp(self.began_at)),
            (_("Exported"), _stamp(self.exported_at)),
        ]


def to_markdown(transcript: Transcript) -> str:
    """The conversation in Markdown; answers as the AI model wrote them."""
    head = [f"# {transcript.title}", "", *(f"- {name}: {value}" for name, value in transcript.facts)]
    body = [f"\n## {_heading(line)}\n\n{line.text}{_named(line)}{_attached(line)}" for line in transcript.lines]
    return "\n".join([*head, *body]) + "\n"


def to_json(transcript: Transcript) -> str:
    """The conversation as data; times in ISO 8601."""
    return json.dumps(as_data(transcript), ensure_ascii=False, indent=2) + "\n"


def as_data(transcript: Transcript) -> dict[str, object]:
    """The conversation as plain values for JSON."""
    return {
        "title": transcript.title,
        "person": transcript.person,
        "course": transcript.tag or None,
        "site": transcript.site,
        "began_at": transcript.began_at.isoformat(),
        "exported_at": transcript.exported_at.isoformat(),
        "messages": [
            {
                "role": "assistant" if line.is_model else "user",
                "model": line.model or None,
                "at": line.at.isoformat(),
                "progress": line.progress or "complete",
                "text": line.text,
                **({"thought": line.thought} if line.thought else {}),
                **(
                    {"sources": [{"title": page.title, "url": page.url} for page in line.sources]}
                    if line.sources
                    else {}
                ),
                **({"opinion": line.opinion} if line.opinion else {}),
                **({"attachments": [_file(file) for file in line.files]} if line.files else {}),
            }
            for line in transcript.lines
        ],
    }


def to_html(transcript: Transcript) -> str:
    """The conversation as a plain HTML document that word processors open. Nothing of a text is taken for markup."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in transcript.facts)
    lines = "".join(
        f"<h2>{escape(_heading(line))}</h2>{_paragraphs(line.text + _named(line) + _attached(line))}"
        for line in transcript.lines
    )
    title = escape(transcript.title)
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><dl>{facts}</dl>{lines}</body></html>\n"
    )


def _heading(line: Line) -> str:
    who = f"{line.author} ({line.model})" if line.is_model and line.model != line.author else line.author
    return f"{who}, {_stamp(line.at)}" + (f", {line.progress}" if line.progress else "")


def _attached(line: Line) -> str:
    names = [f"{file.name} ({filesizeformat(file.size)}, SHA-256 {file.digest})" for file in line.files]
    return "\n\n" + _("Attached:") + " " + ", ".join(names) if names else ""


def _named(line: Line) -> str:
    """The pages the model named, as a numbered list that is the same in Markdown and in words."""
    pages = [f"{n}. {page.title}: <{page.url}>" for n, page in enumerate(line.sources, 1)]
    return "\n\n" + _("Sources the AI model named:") + "\n\n" + "\n".join(pages) if pages else ""


def _file(file: File) -> dict[str, object]:
    return {"name": file.name, "kind": file.kind, "size": file.size, "sha256": file.digest, "content": file.read()}


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"


def _paragraphs(text: str) -> str:
    return "".join("<p>" + "<br>".join(escape(part).split("\n")) + "</p>" for part in text.split("\n\n"))
