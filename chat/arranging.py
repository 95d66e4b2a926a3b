"""All my chats on one page: those listed, the archive, a folder; with what can be done to many at once."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of, role_required
from chat import selectors, services
from chat.forms import ArrangeForm, cleaned
from chat.searching import moment
from core.errors import InvalidRequest
from core.text import one_line


@never_cache
@require_safe
@role_required()
def mine(request: HttpRequest) -> HttpResponse:
    """My chats: listed ones, with `show=archived` those put away, with `folder` those in it."""
    user_id = principal_of(request.user).user_id
    is_archive = request.GET.get("show") == "archived"
    folder = one_line(request.GET.get("folder", ""), longest=services.LONGEST_FOLDER)
    chats = selectors.list_arranged(
        user_id, is_archived=is_archive, folder=folder, before=moment(request.GET.get("before", ""))
    )
    deleted_at = moment(request.GET.get("deleted_at", ""))
    context = {
        "chats": chats,
        "is_archive": is_archive,
        "folder": folder,
        "folders": selectors.list_folders(user_id),
        "here": _here(is_archive=is_archive, folder=folder),
        "earlier": chats[-1].updated_at if len(chats) == selectors.CONVERSATIONS_AT_ONCE else None,
        "retention_days": settings.RETENTION_DAYS,
        "longest_folder": services.LONGEST_FOLDER,
        "deleted_at": deleted_at,
        "deleted": selectors.deleted_at(user_id, deleted_at).count() if deleted_at else 0,
    }
    return render(request, "chat/mine.html", context)


@require_POST
@role_required()
def arrange(request: HttpRequest) -> HttpResponse:
    """Archive, file or delete the chats that were ticked; deleting can be undone on the page that follows."""
    user_id = principal_of(request.user).user_id
    asked = cleaned(ArrangeForm, request)
    chosen: dict[str, Any] = {"user_id": user_id, "conversation_ids": asked["chat"]}
    here = _here(is_archive=asked["show"] == "archived", folder=asked["in_folder"])
    match asked["act"]:
        case "delete":
            at = services.delete_conversations(**chosen)
            return redirect(f"{here}{'&' if '?' in here else '?'}{urlencode({'deleted_at': at.isoformat()})}")
        case "file":
            count = services.file_conversations(folder=asked["folder"], **chosen)
            done = ngettext("%(count)s chat is moved.", "%(count)s chats are moved.", count)
        case "archive":
            count = services.archive_conversations(**chosen)
            done = ngettext("%(count)s chat is archived.", "%(count)s chats are archived.", count)
        case _:
            count = services.archive_conversations(is_archived=False, **chosen)
            done = ngettext("%(count)s chat is back in the list.", "%(count)s chats are back in the list.", count)
    messages.success(request, done % {"count": count})
    return redirect("conversation", asked["chat"][0]) if asked["stay"] else redirect(here)


@require_POST
@role_required()
def restore(request: HttpRequest) -> HttpResponse:
    """Undo a deletion of many."""
    at = parse_datetime(request.POST.get("at", "")) if len(request.POST.get("at", "")) < 40 else None
    if at is None or at.tzinfo is None:
        raise InvalidRequest(_("The address is not complete. Go back and follow the link again."), param="at")
    count = services.restore_deleted_at(user_id=principal_of(request.user).user_id, at=at)
    back = ngettext("%(count)s chat is back in the list.", "%(count)s chats are back in the list.", count)
    messages.success(request, back % {"count": count})
    return redirect("my-chats")


def _here(*, is_archive: bool, folder: str) -> str:
    shown = {"show": "archived"} if is_archive else {"folder": folder} if folder else {}
    return reverse("my-chats") + (f"?{urlencode(shown)}" if shown else "")
