"""The pages on which a teacher says how much AI a course allows: its rule, its assignments, exams and permissions."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.lists import Column, Listing
from core import clock
from core.errors import DomainError, NotFound
from core.text import join_sentences, read_id
from courses import services
from courses.models import Assignment, Course, Permission
from courses.selectors import (
    access_taught_course,
    find_assignment,
    list_assignments,
    list_exams,
    list_permissions,
    list_sections,
    list_taught_courses,
    list_versions,
)
from review.forms import AnswerForm, AssignmentForm, ExamForm, ExceptionForm, PermissionFilterForm, RuleForm

teachers = role_required(Role.INSTRUCTOR, Role.ADMIN)
WAITING = 20  # cards on the page of permissions; the list below leads to the others


def _state(permission: Permission) -> str:
    return {None: "open", True: "given", False: "declined"}[permission.is_given]


PERMISSIONS = Listing(
    name="permissions",
    columns=(
        Column("asked", gettext_lazy("When"), lambda row: localtime(row.asked_at).isoformat(), "asked_at"),
        Column("who", gettext_lazy("Person"), lambda row: row.user.email, "user__name"),
        Column("reason", gettext_lazy("Reason"), lambda row: row.reason),
        Column("state", gettext_lazy("State"), _state),
        Column("decider", gettext_lazy("Decided by"), lambda row: row.decided_by and row.decided_by.name),
        Column(
            "decided", gettext_lazy("Decided"), lambda row: row.decided_at and localtime(row.decided_at).isoformat()
        ),
        Column("answer", gettext_lazy("Answer"), lambda row: row.answer),
    ),
    row="review/_permission_row.html",
    order="-asked",
)


@never_cache
@teachers
@require_http_methods(["GET", "POST"])
def rule(request: HttpRequest, code: str, assignment: str = "") -> HttpResponse:
    """The AI rule of a course, or of one of its assignments; POST publishes the next version."""
    course = _course(request, code)
    about = _assignment(course, assignment)
    versions = [v for v in list_versions(course.pk) if v.assignment_id == (about.pk if about else None)]
    form = RuleForm.of(versions[0] if versions else None, request.POST or None)

    def publish(wording: dict[str, Any]) -> None:
        services.publish_rule(
            course_id=course.pk, assignment_id=about.pk if about else None, by_id=_user_id(request), **wording
        )

    if form.is_valid() and _done(form, publish):
        messages.success(request, _("The rule is published and holds from now on."))
        return redirect(request.path)
    context = {
        "course": course,
        "tab": "rule",
        "courses": list_taught_courses(_user_id(request)),
        "assignment": about,
        "assignments": list_assignments(course.pk),
        "versions": versions,
        "form": form,
        "assignment_form": AssignmentForm(),
    }
    return render(request, "review/rule.html", context, status=400 if form.errors else 200)


@teachers
@require_POST
def add_assignment(request: HttpRequest, code: str) -> HttpResponse:
    """A new assignment, whose rule can then be written."""
    course = _course(request, code)
    form = AssignmentForm(request.POST)
    made: list[Assignment] = []
    if form.is_valid() and _done(
        form, lambda data: made.append(services.create_assignment(course_id=course.pk, **data))
    ):
        messages.success(request, _("The assignment is there. The rule of the course holds for it too."))
        return redirect("review_assignment_rule", course.code, made[0].code)
    return _assignments(request, course, form=form)


@teachers
@require_POST
def remove_assignment(request: HttpRequest, code: str, assignment: str) -> HttpResponse:
    """Take an assignment away that never had a rule."""
    course = _course(request, code)
    about = _assignment(course, assignment)
    try:
        services.delete_assignment(course_id=course.pk, assignment_id=about.pk if about else 0)
    except ValidationError as problem:
        return _assignments(request, course, problem=join_sentences(problem.messages))
    messages.success(request, _("The assignment is gone."))
    return redirect("review_rule", course.code)


@never_cache
@teachers
@require_http_methods(["GET", "POST"])
def exams(request: HttpRequest, code: str) -> HttpResponse:
    """The exam windows of a course; POST announces one."""
    course = _course(request, code)
    form = ExamForm(request.POST or None)
    if form.is_valid() and _done(
        form, lambda data: services.create_exam(course_id=course.pk, by_id=_user_id(request), **data)
    ):
        messages.success(request, _("The exam is announced. In its time the students of the course get no answers."))
        return redirect("review_exams", course.code)
    return _exams(request, course, form=form)


@teachers
@require_POST
def end_exam(request: HttpRequest, code: str, exam_id: int) -> HttpResponse:
    """Call an exam off, or end it now."""
    course = _course(request, code)
    services.end_exam(course_id=course.pk, exam_id=exam_id)
    messages.success(request, _("The exam window is over."))
    return redirect("review_exams", course.code)


@teachers
@require_POST
def add_exception(request: HttpRequest, code: str, exam_id: int) -> HttpResponse:
    """Let one student go on through an exam window."""
    course = _course(request, code)
    form = ExceptionForm(request.POST)
    if form.is_valid() and _done(
        form,
        lambda data: services.except_from_exam(course_id=course.pk, exam_id=exam_id, by_id=_user_id(request), **data),
    ):
        messages.success(request, _("The exception is written down."))
        return redirect("review_exams", course.code)
    return _exams(request, course, exception_form=form, excepting=exam_id)


@teachers
@require_POST
def remove_exception(request: HttpRequest, code: str, exception_id: int) -> HttpResponse:
    """Take an exception back."""
    course = _course(request, code)
    services.withdraw_exception(course_id=course.pk, exception_id=exception_id)
    messages.success(request, _("The exception is taken back."))
    return redirect("review_exams", course.code)


@never_cache
@teachers
@require_http_methods(["GET"])
def permissions(request: HttpRequest, code: str) -> HttpResponseBase:
    """Who asked to use AI in the course, and what became of it."""
    return _permissions(request, _course(request, code))


@teachers
@require_POST
def decide_permission(request: HttpRequest, code: str, permission_id: int) -> HttpResponseBase:
    """Give, decline or take back a permission: `decision` is give, decline or withdraw."""
    course = _course(request, code)
    form = AnswerForm(request.POST)
    answer = form.cleaned_data["answer"] if form.is_valid() else ""
    about: dict[str, Any] = {"course_id": course.pk, "permission_id": permission_id, "by_id": _user_id(request)}
    decision = request.POST.get("decision", "")
    try:
        if decision == "withdraw":
            services.withdraw_permission(**about, answer=answer)
        elif decision in ("give", "decline"):
            services.decide_permission(**about, is_given=decision == "give", answer=answer)
        else:
            raise NotFound
    except DomainError as problem:
        return _permissions(request, course, problem=problem, chosen=permission_id)
    messages.success(request, _("It is decided, and the student sees it on the page of the course."))
    return redirect("review_permissions", course.code)


# ---- inside ----------------------------------------------------------------------------------------------------------


def _user_id(request: HttpRequest) -> int:
    return principal_of(request.user).user_id


def _course(request: HttpRequest, code: str) -> Course:
    return access_taught_course(user_id=_user_id(request), code=code)


def _assignment(course: Course, code: str) -> Assignment | None:
    if not code:
        return None
    found = find_assignment(course_id=course.pk, code=code)
    if found is None:
        raise NotFound(_("%(course)s has no assignment “%(code)s”.") % {"course": course.code, "code": code[:24]})
    return found


def _done(form: BaseForm, act: Callable[[dict[str, Any]], object]) -> bool:
    """Do it with what the form holds; what the service objects to is said at its field. True when it was done."""
    try:
        act(form.cleaned_data)
    except ValidationError as problem:
        form.add_error(None, problem)
        return False
    return True


def _assignments(
    request: HttpRequest, course: Course, *, form: AssignmentForm | None = None, problem: str = ""
) -> HttpResponse:
    context = {
        "course": course,
        "tab": "rule",
        "courses": list_taught_courses(_user_id(request)),
        "assignments": list_assignments(course.pk),
        "assignment_form": form or AssignmentForm(),
        "problem": problem,
    }
    return render(request, "review/assignments.html", context, status=400)


def _permissions(
    request: HttpRequest, course: Course, *, problem: DomainError | None = None, chosen: int | None = None
) -> HttpResponseBase:
    waiting = list_permissions(course.pk, state="open").order_by("asked_at", "pk")[: WAITING + 1]
    first = chosen or read_id(request.GET.get("decide", ""))  # as the list's own links name it
    named = list_permissions(course.pk).filter(pk=first).exclude(is_given=False) if first else ()
    shown = {permission.pk: permission for permission in (*named, *waiting)}
    context = {
        "course": course,
        "tab": "permissions",
        "courses": list_taught_courses(_user_id(request)),
        "waiting": list(shown.values())[:WAITING],
        "more_wait": len(shown) > WAITING,
        "problem": problem and problem.message,
    }
    form = PermissionFilterForm(request.GET)
    return PERMISSIONS.answer(
        request,
        list_permissions(course.pk, **form.cleaned_data) if form.is_valid() else None,
        template="review/permissions.html",
        form=form,
        context=context,
        status=problem.status if problem else 200,
        path=reverse("review_permissions", args=[course.code]),
    )


def _exams(
    request: HttpRequest,
    course: Course,
    *,
    form: ExamForm | None = None,
    exception_form: ExceptionForm | None = None,
    excepting: int = 0,
) -> HttpResponse:
    context = {
        "course": course,
        "tab": "exams",
        "courses": list_taught_courses(_user_id(request)),
        "exams": list_exams(course.pk),
        "sections": list_sections(course.pk),
        "form": form or ExamForm(),
        "exception_form": exception_form or ExceptionForm(),
        "excepting": excepting,
        "here": reverse("review_exams", args=[course.code]),
        "now": clock.now(),
    }
    failed = any(shown is not None and shown.errors for shown in (form, exception_form))
    return render(request, "review/exams.html", context, status=400 if failed else 200)
