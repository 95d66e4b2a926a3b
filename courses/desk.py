"""The administrators' pages of courses: which there are, when they run, and who is in them."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import role_required
from accounts.types import Role
from audit.lists import Column, Listing
from core.sheets import Problem
from courses.errors import UnreadableRoster
from courses.forms import CourseChangeForm, CourseFilterForm, CourseForm, PlaceFilterForm, RosterForm
from courses.models import Course
from courses.selectors import count_places, get_course, list_courses, list_enrollments
from courses.services import create_course, import_roster, update_course
from courses.types import RosterChange

COURSES = Listing(
    name="courses",
    columns=(
        Column("code", pgettext_lazy("of a course", "Code"), lambda course: course.code, "code"),
        Column("title", gettext_lazy("Title"), lambda course: course.title, "title"),
        Column("term", gettext_lazy("Term"), lambda course: course.term, "term"),
        Column("department", gettext_lazy("Department"), lambda course: course.department and course.department.code),
        Column("starts", gettext_lazy("First day"), lambda course: course.starts_on.isoformat(), "starts_on"),
        Column("ends", gettext_lazy("Last day"), lambda course: course.ends_on.isoformat(), "ends_on"),
        Column("people", gettext_lazy("People"), lambda course: course.people, "people", is_number=True),
    ),
    row="courses/_course_row.html",
    order="code",
)
ROSTER = Listing(
    name="roster",
    columns=(
        Column("name", gettext_lazy("Name"), lambda place: place.user.name, "user__name"),
        Column("email", gettext_lazy("E-mail"), lambda place: place.user.email, "user__email"),
        Column("role", gettext_lazy("In the course as"), lambda place: place.role, "role"),
        Column("section", gettext_lazy("Section"), lambda place: place.section, "section"),
        Column(
            "department",
            gettext_lazy("Department"),
            lambda place: place.user.department and place.user.department.code,
        ),
    ),
    row="courses/_place_row.html",
    order="name",
)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def courses(request: HttpRequest) -> HttpResponseBase:
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
    filters = CourseFilterForm(request.GET, auto_id="filter_%s")
    found = list_courses(**filters.cleaned_data) if filters.is_valid() else None
    totals = {"people": count_places(found)} if found is not None else None
    status = 400 if form.errors else 200
    return COURSES.answer(
        request,
        found,
        template="courses/manage.html",
        form=filters,
        totals=totals,
        context={"form": form},
        status=status,
    )


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def course(request: HttpRequest, code: str) -> HttpResponseBase:
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
def roster(request: HttpRequest, code: str) -> HttpResponseBase:
    """Show what a roster would change; with `confirm`, change it."""
    shown = get_course(code)
    form = RosterForm(request.POST, request.FILES)
    confirmed = "confirm" in request.POST
    if not form.is_valid():
        return _shown(request, shown, roster_form=form)
    lines = form.lines.splitlines(keepends=True)
    remove_absent = form.cleaned_data["remove_absent"]
    try:
        changes = import_roster(course=shown, text=lines, dry_run=not confirmed, remove_absent=remove_absent)
    except UnreadableRoster as error:
        kept = RosterForm(initial={"text": form.lines, "remove_absent": remove_absent})
        return _shown(request, shown, roster_form=kept, problems=error.problems)
    if confirmed:
        messages.success(request, _("The roster of %(course)s is changed.") % {"course": shown.code})
        return redirect("manage_course", shown.code)
    kept = RosterForm(initial={"text": form.lines, "remove_absent": remove_absent})
    return _shown(request, shown, roster_form=kept, changes=changes)


def _shown(
    request: HttpRequest,
    shown: Course,
    *,
    form: CourseChangeForm | None = None,
    roster_form: RosterForm | None = None,
    problems: list[Problem] | None = None,
    changes: list[RosterChange] | None = None,
) -> HttpResponseBase:
    filters = PlaceFilterForm(request.GET, auto_id="filter_%s")
    found = list_enrollments(shown.pk, **filters.cleaned_data) if filters.is_valid() else None
    context: dict[str, Any] = {
        "course": shown,
        "form": form or CourseChangeForm(instance=shown),
        "roster_form": roster_form or RosterForm(),
        "people": count_places([shown]),
        "problems": problems,
        "is_preview": changes is not None,
        "changes": [change for change in changes or () if change.action != "same"],
        "same": Counter(change.action for change in changes or ())["same"],
    }
    failed = problems or any(f is not None and f.errors for f in (form, roster_form))
    status = 400 if failed else 200
    return ROSTER.answer(
        request,
        found,
        template="courses/manage_course.html",
        form=filters,
        context=context,
        status=status,
        path=reverse("manage_course", args=[shown.code]),
    )
