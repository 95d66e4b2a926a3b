"""The small pieces every page is made of: icons and form fields (docs/decisions/0050)."""

from functools import cache

from django import template
from django.forms import BoundField, CheckboxInput, RadioSelect, Textarea
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """The icon called `name` in frontend/static/icons.svg. Decoration: the words beside it carry the meaning."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, css: str = "") -> dict[str, object]:
    """A form field: label above, help under it, problems last, joined to the control by aria-describedby."""
    described = [f"{bound.auto_id}-help"] if bound.help_text else []
    described += [f"{bound.auto_id}-problem"] if bound.errors else []
    attributes: dict[str, str | bool] = {"placeholder": False}  # the label stands above; a hint goes into the help
    attributes |= {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    is_check = isinstance(bound.field.widget, CheckboxInput)
    if not is_check:
        attributes["class"] = f"input {css}".strip()
    if isinstance(bound.field.widget, Textarea):
        attributes.setdefault("rows", str(bound.field.widget.attrs.get("rows", 4)))
    if isinstance(bound.field.widget, RadioSelect):  # boxes to tick are a kind of it
        return {"field": bound, "is_group": True, "described": " ".join(described)}
    return {"field": bound, "control": bound.as_widget(attrs=attributes), "is_check": is_check}


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Macintosh", "Linux")


@register.filter
def browser_name(user_agent: str) -> str:
    """A browser's own description in two words, such as "Firefox, Windows"; cut short when it is none we know."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for name in _SYSTEMS if name in user_agent), "")
    return ", ".join(word for word in (browser, system) if word) or user_agent[:40]
