"""A student's pages of courses: what each allows, accepting its rule, and asking for permission."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.authentication import principal_of, role_required
from core import clock
from core.errors import DomainError, InvalidRequest, NotFound, Refusal
from core.text import read_id
from courses import services
from courses.selectors import find_permission, list_choices, list_coming_exams


@never_cache
@role_required()
@require_GET
def my_courses(request: HttpRequest) -> HttpResponse:
    """The courses I am in, and how much AI each allows."""
    user_id, now = principal_of(request.user).user_id, clock.now()
    context = {"choices": list_choices(user_id, now), "exams": list_coming_exams(user_id, now)}
    return render(request, "courses/mine.html", context)


@never_cache
@role_required()
@require_GET
def my_course(request: HttpRequest, code: str) -> HttpResponse:
    """One of my courses: its rules in full, those of its assignments, exams, and my permission."""
    return _shown(request, code)


@role_required()
@require_POST
def accept(request: HttpRequest, code: str) -> HttpResponse:
    """Accept a version of a rule of the course."""
    try:
        services.accept_rule(
            user_id=principal_of(request.user).user_id,
            rule_id=read_id(request.POST.get("rule", "")) or 0,
            language=get_language() or "en",
        )
    except Refusal as problem:
        return _shown(request, code, problem=problem)
    return redirect(_safe_next(request) or reverse("my_course", args=[code]))


@role_required()
@require_POST
def ask_permission(request: HttpRequest, code: str) -> HttpResponse:
    """Ask the teachers of the course for the permission to use AI."""
    try:
        services.ask_permission(
            user_id=principal_of(request.user).user_id, code=code, reason=request.POST.get("reason", "")
        )
    except InvalidRequest as problem:
        return _shown(request, code, problem=problem)
    messages.success(request, _("Your teacher has your question. The answer will stand here."))
    return redirect("my_course", code)


def _shown(request: HttpRequest, code: str, *, problem: DomainError | None = None) -> HttpResponse:
    user_id, now = principal_of(request.user).user_id, clock.now()
    choices = [choice for choice in list_choices(user_id, now) if choice.course.code == code]
    if not choices:
        raise NotFound(_("There is no course %(code)s among yours.") % {"code": code[:32]})
    course = choices[0].course
    context = {
        "course": course,
        "choices": choices,
        "permission": find_permission(course_id=course.pk, user_id=user_id),
        "exams": [exam for exam in list_coming_exams(user_id, now) if exam.course_id == course.pk],
        "next": _safe_next(request),
        "problem": problem and problem.message,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "courses/my_course.html", context, status=problem.status if problem else 200)


def _safe_next(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else ""
