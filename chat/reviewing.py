"""A teacher's look at the chats of a course: who chatted when, and, with a reason, what was said (D14).

The list shows no titles: a title is the beginning of a question. Every opening is written down before a word is shown,
lasts an hour, and stands under the student's “Who looked”.
"""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from chat import pages, selectors
from chat.forms import LookForm
from core import clock
from courses.selectors import access_taught_course, find_rule_at, list_taught_courses
from usage.selectors import find_opening, list_openings_in
from usage.services import record_opening


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_GET
def course_chats(request: HttpRequest, code: str) -> HttpResponse:
    """The students' chats of a course that may be opened, and who opened which so far."""
    user_id = principal_of(request.user).user_id
    course = access_taught_course(user_id=user_id, code=code)
    chats = selectors.list_course_chats(course, before=_moment(request.GET.get("before", "")))
    context = {
        "course": course,
        "courses": list_taught_courses(user_id),
        "rule": find_rule_at(course.pk, clock.now()),
        "chats": chats,
        "earlier": chats[-1].updated_at if len(chats) == selectors.COURSE_CHATS_AT_ONCE else None,
        "openings": list_openings_in(course.pk)[:20],
        "tab": "chats",
    }
    return render(request, "chat/course_chats.html", context)


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_http_methods(["GET", "POST"])
def course_chat(request: HttpRequest, code: str, conversation_id: UUID) -> HttpResponse:
    """One chat: first the question why, then its words for an hour."""
    user_id = principal_of(request.user).user_id
    course = access_taught_course(user_id=user_id, code=code)
    chat = selectors.access_course_chat(course, conversation_id)
    form = LookForm(request.POST or None)
    if form.is_valid():
        try:
            record_opening(
                viewer_id=user_id,
                owner_id=chat.user_id,
                course_id=course.pk,
                conversation_id=chat.pk,
                reason=form.cleaned_data["reason"],
                note=form.cleaned_data["note"],
            )
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            return redirect("review_course_chat", course.code, chat.pk)
    opening = find_opening(viewer_id=user_id, conversation_id=chat.pk)
    context = {
        "course": course,
        "courses": list_taught_courses(user_id),
        "chat": chat,
        "form": form,
        "opening": opening,
        "turns": pages.list_turns(chat) if opening else [],
    }
    return render(request, "chat/course_chat.html", context, status=400 if form.errors else 200)


def _moment(value: str) -> datetime | None:
    try:
        moment = parse_datetime(value) if value else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else None
