"""What every page shares: its frame's data, the choice of language and appearance, and the account page."""

import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.authentication import role_required
from accounts.services import update_taste
from accounts.types import Role
from config import brand, env
from policies.selectors import list_running_notices

THEMES = ("", "light", "dark")
THEME_COOKIE = "theme"
NOTICES_COOKIE = "notices"
_MOST_PUT_AWAY = 50
_HABITS = ("is_advised", "waits_for_all")
_YEAR = 365 * 24 * 3600
_TAGS = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}


@dataclass(frozen=True, slots=True)
class _Place:
    href: str
    icon: str
    label: Promise
    roles: tuple[Role, ...] = ()
    also: tuple[str, ...] = ()
    is_exact: bool = False  # what lies below it is another place


_PLACES = (
    _Place("/", "chat", _("Chat"), also=("/chat/",), is_exact=True),
    _Place("/images/", "image", _("Images")),
    _Place("/usage/", "use", _("My use")),
    _Place("/keys/", "key", _("My keys")),
    _Place("/clauses/", "shield", _("Clauses")),
    _Place("/review/", "teach", _("Teaching"), roles=(Role.INSTRUCTOR, Role.ADMIN)),
    _Place("/manage/", "manage", _("Manage"), roles=(Role.ADMIN,)),
)
_MANAGE = (
    _Place("/manage/", "", _("Overview"), is_exact=True),
    _Place("/manage/people/", "", _("People")),
    _Place("/manage/courses/", "", _("Courses")),
    _Place("/manage/terms/", "", _("Terms")),
    _Place("/manage/quotas/", "", _("Quotas")),
    _Place("/manage/requests/", "", _("Requests")),
    _Place("/manage/pools/", "", _("Course pools")),
    _Place("/manage/offers/", "", _("Units for sale")),
    _Place("/manage/usage/", "", _("Usage")),
    _Place("/manage/clauses/", "", _("Clauses")),
    _Place("/manage/models/", "", _("Models and providers"), also=("/manage/providers/",)),
    _Place("/manage/prompts/", "", _("Saved prompts")),
    _Place("/manage/notices/", "", _("Notices and maintenance")),
    _Place("/manage/holds/", "", _("Holds")),
    _Place("/manage/alarms/", "", _("Alarms")),
    _Place("/manage/audit/", "", _("Audit log")),
    _Place("/manage/settings/", "", _("Settings")),
    _Place("/admin/", "", _("Everything else"), is_exact=True),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the names, the language tag (BCP 47), the appearance and the way around."""
    language = get_language() or settings.LANGUAGE_CODE
    own = getattr(getattr(request, "user", None), "theme", "")
    theme = own or request.COOKIES.get(THEME_COOKIE, "")
    return {
        "frame": {
            "name": settings.SITE_NAME,
            "university": settings.UNIVERSITY_NAME,
            "brand": brand.describe(),
            "lang": _TAGS.get(language, language),
            "theme": theme if theme in THEMES else "",
            "notices": [notice for notice in list_running_notices() if str(notice.pk) not in _put_away(request)],
            "navigation": _way_around(_PLACES, request),
            "manage": _way_around(_MANAGE, request),
        }
    }


def _way_around(places: tuple[_Place, ...], request: HttpRequest) -> list[dict[str, Any]]:
    role = getattr(getattr(request, "user", None), "role", "")
    return [
        {"href": p.href, "icon": p.icon, "label": p.label, "is_current": _is_current(p, request.path)}
        for p in places
        if not p.roles or role in p.roles
    ]


def _is_current(place: _Place, path: str) -> bool:
    if path.startswith(place.also):
        return True
    return path == place.href if place.is_exact else path.startswith(place.href)


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the person's language: in a cookie for this browser, in the account for the next one."""
    chosen = request.POST.get("language", "")
    response = _back(request)
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, chosen, max_age=_YEAR, samesite="Lax")
        if request.user.is_authenticated:
            update_taste(user_id=request.user.pk, language=chosen)
    return response


@require_POST
def dismiss(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Put a notice away in this browser."""
    response = _back(request)
    if any(notice.pk == notice_id and notice.is_dismissable for notice in list_running_notices()):
        kept = [*_put_away(request), str(notice_id)][-_MOST_PUT_AWAY:]
        response.set_cookie(NOTICES_COOKIE, ".".join(kept), max_age=_YEAR, samesite="Lax")
    return response


def _put_away(request: HttpRequest) -> list[str]:
    return request.COOKIES.get(NOTICES_COOKIE, "").split(".")


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Keep light, dark, or the system's choice, in the same two places."""
    chosen = request.POST.get("theme", "")
    response = _back(request)
    if chosen in THEMES:
        response.set_cookie(THEME_COOKIE, chosen, max_age=_YEAR, samesite="Lax")
        if request.user.is_authenticated:
            update_taste(user_id=request.user.pk, theme=chosen)
    return response


@login_required
@require_POST
def chat_habits(request: HttpRequest) -> HttpResponse:
    """Keep how the person likes the chat page: each box of the form that came is on, the others are off."""
    update_taste(user_id=request.user.pk, **{name: name in request.POST for name in _HABITS})  # type: ignore[arg-type]
    return _back(request)


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, and how I like it."""
    themes = (("", _("As the system")), ("light", _("Light")), ("dark", _("Dark")))
    return render(request, "account.html", {"themes": themes})


@login_required
def signed_in(request: HttpRequest) -> HttpResponse:
    """Where signing in beside a page leads: its script tells that page, which then goes on."""
    return render(request, "signed_in.html")


_SOURCES = {
    env.Source.ENVIRONMENT: _("environment"),
    env.Source.FILE: _("a file the environment names"),
    env.Source.MADE: _("made on this machine"),
    env.Source.DEFAULT: _("default"),
}
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


@never_cache
@role_required(Role.ADMIN)
@require_GET
def installation(request: HttpRequest) -> HttpResponse:
    """What this installation was told by its environment, and what it goes by where it was told nothing."""
    rows = [
        {
            "reading": reading,
            "source": _SOURCES[reading.source],
            "is_default": reading.source == env.Source.DEFAULT,
            "value": _written(reading.value),
            "default": _written(reading.default),
        }
        for reading in env.list_readings()
    ]
    return render(request, "settings.html", {"rows": rows})


def _written(value: object) -> str:
    """A value as it is written in the environment, without the password of an address."""
    if isinstance(value, bool):
        return "1" if value else "0"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _CREDENTIALS.sub("…", text)


def _back(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if is_ours else "/")  # redirect() would take a word for the name of a view
