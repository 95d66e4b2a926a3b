"""The university's face: its color and logo, and what a phone needs to keep the product as an app.

The color is the one token a university sets; every tone of the pages follows it with its contrast kept
(frontend/static/css/tokens.css, tests/pages/test_contrast.py). The service worker keeps one page, which says that there
is no network: never anything of a person's.
"""

import hashlib
import io
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from PIL import Image, ImageColor, ImageDraw

OUR_COLOR = "#0e5a6d"
ICON_SIZES = (180, 192, 512)  # Apple's, and the two that browsers ask for before they offer to install
_MARK = ((6, 8, 8, 18), (10, 6, 12, 18), (14, 14, 16, 18), (18, 14, 19, 18))  # the strokes of the tally, of 24
_A_DAY = 24 * 3600
_keep = cache_control(public=True, max_age=_A_DAY)


def describe() -> dict[str, Any]:
    """What every page's frame knows of the brand; `version` changes with it, so that no browser keeps the old."""
    color = settings.BRAND_COLOR
    return {
        "color": color,
        "version": hashlib.sha256(f"{color}{settings.LOGO_FILE}".encode()).hexdigest()[:8],
        "is_own": color != OUR_COLOR,  # the tokens have ours
        "has_logo": bool(settings.LOGO_FILE),
        "contact": settings.CONTACT,
        "contact_href": f"mailto:{settings.CONTACT}" if "@" in settings.CONTACT else settings.CONTACT,
    }


@require_safe
@_keep
def style(request: HttpRequest) -> HttpResponse:
    """The one token that is the university's."""
    return HttpResponse(f":root {{ --brand: {settings.BRAND_COLOR}; }}\n", content_type="text/css")


@require_safe
@_keep
def logo(request: HttpRequest) -> HttpResponse:
    """The file of LOGO_FILE, as a picture and as nothing else."""
    if not settings.LOGO_FILE:
        raise Http404
    kind = mimetypes.guess_type(settings.LOGO_FILE)[0] or "application/octet-stream"
    response = HttpResponse(Path(settings.LOGO_FILE).read_bytes(), content_type=kind)
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@require_safe
@_keep
def icon(request: HttpRequest, size: int) -> HttpResponse:
    """The sign of the product on the university's color, with room around it for a phone's mask."""
    if size not in ICON_SIZES:
        raise Http404
    return HttpResponse(_draw_icon(size, settings.BRAND_COLOR), content_type="image/png")


@require_safe
@_keep
def manifest(request: HttpRequest) -> JsonResponse:
    """What a phone asks before it keeps a page as an app."""
    icons = [
        {
            "src": f"{reverse('icon', args=[size])}?{describe()['version']}",
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size in ICON_SIZES[1:]
        for purpose in ("any", "maskable")
    ]
    body = {
        "id": "/",
        "name": f"{settings.SITE_NAME}, {settings.UNIVERSITY_NAME}",
        "short_name": settings.SITE_NAME,
        "lang": get_language() or "en",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": settings.BRAND_COLOR,
        "background_color": "#ffffff",
        "icons": icons,
        "shortcuts": [
            {"name": _("New chat"), "url": "/"},
            {"name": _("Images"), "url": reverse("images")},
            {"name": _("My use"), "url": reverse("statement")},
        ],
    }
    return JsonResponse(body, content_type="application/manifest+json")


@require_safe
@cache_control(no_cache=True)
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker: stands at the root, for its place is its scope."""
    context = {"version": describe()["version"], "offline": reverse("offline"), "styles": _styles()}
    return HttpResponse(render_to_string("worker.js", context), content_type="text/javascript")


@require_safe
@_keep
def offline(request: HttpRequest) -> HttpResponse:
    """The page for when there is no network; nobody's, so that it may be kept."""
    return render(request, "offline.html")


def _styles() -> list[str]:
    return [staticfiles_storage.url(f"css/{name}.css") for name in ("tokens", "app")] + [
        f"{reverse('brand-style')}?{describe()['version']}"
    ]


@lru_cache(maxsize=len(ICON_SIZES))
def _draw_icon(size: int, color: str) -> bytes:
    scale = 4  # drawn large and made small, for smooth edges
    picture = Image.new("RGB", (size * scale, size * scale), color)
    pen = ImageDraw.Draw(picture)
    red, green, blue, *_rest = ImageColor.getrgb(color)
    ink = "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#fff"
    unit = size * scale / 24
    for left, top, right, bottom in _MARK:
        pen.rectangle((left * unit, top * unit, right * unit - 1, bottom * unit - 1), fill=ink)
    file = io.BytesIO()
    picture.resize((size, size), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()
