"""The administrators' pages of courses: which there are, when they run, and who is in them."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import role_required
from accounts.types import Role
from courses.errors import UnreadableRoster
from courses.forms import CourseChangeForm, CourseForm, RosterForm
from courses.models import Course
from courses.selectors import get_course, list_courses, list_enrollments
from courses.services import create_course, import_roster, update_course
from courses.types import RosterChange

PAGE = 50


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def courses(request: HttpRequest) -> HttpResponse:
    """Every course; POST makes one."""
    form = CourseForm(request.POST or None)
    if form.is_valid():
        try:
            made = create_course(**form.columns())
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(course)s is there. Put people on its roster.") % {"course": made.code})
            return redirect("manage_course", made.code)
    search = request.GET.get("search", "")[:120]
    page = Paginator(list_courses(search), PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {"form": form, "page": page, "search": search, "query": query.urlencode()}
    return render(request, "courses/manage.html", context, status=400 if form.errors else 200)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def course(request: HttpRequest, code: str) -> HttpResponse:
    """One course and its roster; POST changes its title, term, department and days."""
    shown = get_course(code)
    # Of its own, so that the heading keeps what is saved while the form holds what is not.
    form = CourseChangeForm(request.POST or None, instance=get_course(code))
    if form.is_valid():
        try:
            update_course(course_id=shown.pk, **form.columns())
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            messages.success(request, _("%(course)s is changed.") % {"course": shown.code})
            return redirect("manage_course", shown.code)
    return _shown(request, shown, form=form)


@role_required(Role.ADMIN)
@require_POST
def roster(request: HttpRequest, code: str) -> HttpResponse:
    """Show what a roster would change; with `confirm`, change it."""
    shown = get_course(code)
    form = RosterForm(request.POST, request.FILES)
    confirmed = "confirm" in request.POST
    if not form.is_valid():
        return _shown(request, shown, roster_form=form)
    lines = form.roster.splitlines(keepends=True)
    remove_absent = form.cleaned_data["remove_absent"]
    try:
        changes = import_roster(course=shown, text=lines, dry_run=not confirmed, remove_absent=remove_absent)
    except UnreadableRoster as error:
        kept = RosterForm(initial={"text": form.roster, "remove_absent": remove_absent})
        return _shown(request, shown, roster_form=kept, problems=error.problems)
    if confirmed:
        messages.success(request, _("The roster of %(course)s is changed.") % {"course": shown.code})
        return redirect("manage_course", shown.code)
    kept = RosterForm(initial={"text": form.roster, "remove_absent": remove_absent})
    return _shown(request, shown, roster_form=kept, changes=changes)


def _shown(
    request: HttpRequest,
    shown: Course,
    *,
    form: CourseChangeForm | None = None,
    roster_form: RosterForm | None = None,
    problems: list[tuple[int, str]] | None = None,
    changes: list[RosterChange] | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "course": shown,
        "form": form or CourseChangeForm(instance=shown),
        "roster_form": roster_form or RosterForm(),
        "people": list_enrollments(shown.pk),
        "problems": problems,
        "is_preview": changes is not None,
        "changes": [change for change in changes or () if change.action != "same"],
        "same": Counter(change.action for change in changes or ())["same"],
    }
    failed = problems or any(f is not None and f.errors for f in (form, roster_form))
    return render(request, "courses/manage_course.html", context, status=400 if failed else 200)
