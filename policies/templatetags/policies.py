"""Shows the wording of a clause: Markdown by administrators as numbered articles."""

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

register = template.Library()


class _Articles(RendererHTML):
    """A numbered list becomes the articles of templates/policies; each keeps its paragraphs in one column."""

    def ordered_list_open(self, tokens: Any, idx: int, options: Any, env: Any) -> str:
        tokens[idx].attrJoin("class", "articles")
        return self.renderToken(tokens, idx, options, env)

    def list_item_open(self, *_: Any) -> str:
        return "<li><div>"

    def list_item_close(self, *_: Any) -> str:
        return "</div></li>\n"


# CommonMark without raw HTML; markdown-it itself drops script links. Pictures would be fetched from elsewhere.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Articles).disable("image")


@register.filter
def articles(text: str) -> SafeString:
    """The Markdown of a clause as HTML."""
    return mark_safe(str(_MARKDOWN.render(text)))  # noqa: S308 (rendered without raw HTML, line above)


@register.filter
def title_in(version: Any, language: str) -> str:
    """The title of a clause version in a language."""
    return str(version.title_in(language))


@register.filter
def body_in(version: Any, language: str) -> str:
    """The text of a clause version in a language."""
    return str(version.body_in(language))


@register.filter
def text_in(notice: Any, language: str) -> str:
    """The sentence of a notice in a language."""
    return str(notice.text_in(language))
