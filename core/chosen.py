"""Settings where every call passes by.

Django's own way to one takes some 0.7 µs each time, and a call asks for eight of them. What Django has looked up once
it keeps among the attributes of `settings`, and forgets there when somebody changes a setting.
"""

from typing import Any

from django.conf import settings

_looked_up = vars(settings)


def chosen(name: str) -> Any:
    """The setting of this name, as `settings` gives it."""
    try:
        return _looked_up[name]
    except KeyError:
        return getattr(settings, name)
