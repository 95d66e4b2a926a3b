"""Pieces about courses that other rooms' pages show."""

from typing import Any

from django import template

from courses.selectors import list_courses_of

register = template.Library()


@register.inclusion_tag("courses/_my_courses.html", takes_context=True)
def my_courses(context: dict[str, Any], html_id: str) -> dict[str, Any]:
    """The reader's courses as suggestions for an input whose `list` attribute is `html_id`."""
    return {"id": html_id, "courses": list_courses_of(context["request"].user.pk)}
