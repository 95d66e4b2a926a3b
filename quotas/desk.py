"""Pages of those who decide: requests, grants to a course, limits of approvers, pools of courses, units for sale."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.types import Principal, Role
from audit.lists import Column, Listing
from core.errors import DomainError
from core.text import read_id
from courses.models import Course
from courses.selectors import list_courses, list_taught_courses
from quotas import selectors, services
from quotas.forms import (
    ApproverLimitForm,
    CourseGrantForm,
    DecisionForm,
    OfferFilterForm,
    OfferForm,
    PoolFilterForm,
    PoolForm,
    RequestFilterForm,
)
from quotas.models import Pool, Request
from quotas.types import RequestState, Unit, WhenEmpty
from quotas.wording import write_quantity

T = TypeVar("T")
WAITING = 20  # cards on the page of requests; the list below leads to the others
REQUESTS = Listing(
    name="requests",
    columns=(
        Column("asked", gettext_lazy("When"), lambda row: localtime(row.asked_at).isoformat(), "asked_at"),
        Column("who", gettext_lazy("Person"), lambda row: row.user.email, "user__name"),
        Column("course", gettext_lazy("Course"), lambda row: row.course and row.course.code, is_below=True),
        Column("amount", gettext_lazy("Asked"), lambda row: f"{row.amount} {row.unit}", "amount", is_number=True),
        Column("granted", gettext_lazy("Granted"), lambda row: row.grant and row.grant.amount, is_below=True),
        Column("reason", gettext_lazy("Reason"), lambda row: row.reason),
        Column("state", gettext_lazy("State"), lambda row: row.state, "state"),
        Column(
            "decider", gettext_lazy("Decided by"), lambda row: row.decided_by and row.decided_by.name, is_below=True
        ),
        Column("answer", gettext_lazy("Answer"), lambda row: row.answer, is_below=True),
    ),
    row="quotas/_request_row.html",
    order="-asked",
)
POOLS = Listing(
    name="pools",
    columns=(
        Column("course", gettext_lazy("Course"), lambda pool: pool.course.code, "course__code"),
        Column("state", gettext_lazy("State"), lambda pool: "open" if pool.is_open else "closed", "is_open"),
        Column("when_empty", gettext_lazy("When it is empty"), lambda pool: pool.when_empty, "when_empty"),
        Column("unit", gettext_lazy("Unit"), lambda pool: pool.unit, "unit"),
        Column("granted", gettext_lazy("Given"), lambda pool: pool.granted, "granted", is_number=True),
        Column("used", gettext_lazy("Used"), lambda pool: pool.used, "used", is_number=True),
        Column("held", gettext_lazy("Held"), lambda pool: pool.held, "held", is_number=True),
        Column("actions", gettext_lazy("Actions"), None),
    ),
    row="quotas/_pool_row.html",
    order="course",
)

OFFERS = Listing(
    name="offers",
    columns=(
        Column("amount", gettext_lazy("Amount"), lambda offer: offer.amount, "amount", is_number=True),
        Column("unit", gettext_lazy("Unit"), lambda offer: offer.unit, "unit"),
        Column("price", gettext_lazy("Price"), lambda offer: offer.price_micro, "price_micro", is_number=True),
        Column("state", gettext_lazy("State"), lambda offer: "sold" if offer.is_enabled else "withdrawn", "is_enabled"),
    ),
    row="quotas/_offer_row.html",
    order="amount",
)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def all_requests(request: HttpRequest) -> HttpResponseBase:
    """What people ask for everywhere; POST gives every student of a course the same."""
    return _requests(request, principal_of(request.user))


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_http_methods(["GET", "POST"])
def requests(request: HttpRequest) -> HttpResponseBase:
    """What people ask for in the courses I teach; POST gives every student of a course the same."""
    return _requests(request, principal_of(request.user))


def _requests(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    form = CourseGrantForm(request.POST or None, courses=_courses_of(principal))
    if form.is_valid() and (course := form.course_chosen) is not None:
        given = _try(
            form,
            lambda: services.grant_to_course(
                principal=principal,
                course=course,
                amount=form.cleaned_data["amount"],
                unit=form.unit_chosen,
                reason=form.cleaned_data["reason"],
                expires_at=form.expires_at,
            ),
        )
        if given is not None:
            told = {"count": len(given), "course": course.code}
            messages.success(request, _("%(count)d people of %(course)s have it from the next call on.") % told)
            return redirect(request.path)
    return _shown(request, principal, form=form)


@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_POST
def decide(request: HttpRequest, request_id: int) -> HttpResponseBase:
    """Grant a request or a part of it, or refuse it with a sentence."""
    principal = principal_of(request.user)
    asked = selectors.get_decidable_request(principal, request_id)
    form = DecisionForm(request.POST, unit=Unit(asked.unit), auto_id=f"id_%s_{asked.pk}")
    if form.is_valid():
        decided = _try(form, lambda: _decide(principal, asked, form, refuses="refuse" in request.POST))
        if decided is not None:
            words = _("Granted.") if decided.state == RequestState.GRANTED else _("Refused.")
            messages.success(request, words + " " + _("%(name)s is told by mail.") % {"name": asked.user.name})
            return redirect(_page_of(principal))
    return _shown(request, principal, decision=(asked.pk, form))


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["POST"])
def approver_limits(request: HttpRequest) -> HttpResponseBase:
    """How much instructors may give."""
    form = ApproverLimitForm(request.POST, auto_id="limit_%s")
    if form.is_valid():
        data = form.cleaned_data
        services.set_approver_limit(unit=form.unit_chosen, at_once=data["amount"], a_month=data["a_month"])
        messages.success(request, _("The limit of instructors is changed."))
        return redirect("manage_requests")
    return _shown(request, principal_of(request.user), limit_form=form)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def pools(request: HttpRequest) -> HttpResponseBase:
    """Every course's pool; POST opens one, changes it or adds to it."""
    form = PoolForm(request.POST or None, initial=request.GET.dict())
    if form.is_valid():
        pool = _try(form, lambda: _set_pool(principal_of(request.user), form))
        if pool is not None:
            messages.success(request, _("The pool of %(course)s is changed.") % {"course": pool.course.code})
            return redirect("manage_pools")
    filters = PoolFilterForm(request.GET, auto_id="filter_%s")
    found = selectors.list_pools(**filters.cleaned_data) if filters.is_valid() else None
    return POOLS.answer(
        request,
        found,
        template="quotas/pools.html",
        form=filters,
        totals=_sums(filters, found, ("granted", "used", "held")),
        context={"form": form},
        status=400 if form.errors else 200,
    )


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def offers(request: HttpRequest) -> HttpResponseBase:
    """What people may buy; POST offers something, or takes it back."""
    form = OfferForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        made = _try(
            form,
            lambda: services.set_offer(
                unit=form.unit_chosen,
                amount=data["amount"],
                price_micro=data["price"],
                is_enabled=data["is_enabled"],
            ),
        )
        if made is not None:
            messages.success(request, _("The offer is changed."))
            return redirect("manage_offers")
    filters = OfferFilterForm(request.GET, auto_id="filter_%s")
    found = selectors.list_all_offers(**filters.cleaned_data) if filters.is_valid() else None
    return OFFERS.answer(
        request,
        found,
        template="quotas/offers.html",
        form=filters,
        context={"form": form},
        status=400 if form.errors else 200,
    )


def _decide(principal: Principal, asked: Request, form: DecisionForm, *, refuses: bool) -> Request:
    data = form.cleaned_data
    if refuses:
        return services.refuse_request(principal=principal, request_id=asked.pk, answer=data["answer"])
    return services.grant_request(
        principal=principal,
        request_id=asked.pk,
        amount=asked.amount if data["amount"] is None else data["amount"],
        answer=data["answer"],
        expires_at=form.expires_at,
    )


def _set_pool(principal: Principal, form: PoolForm) -> Pool:
    data = form.cleaned_data
    return services.set_pool(
        course_id=data["course"].pk,
        unit=form.unit_chosen,
        when_empty=WhenEmpty(data["when_empty"]),
        cap=data["cap"] if data["cap"] != "" else None,
        is_open=data["is_open"],
        add=data["amount"] or 0,
        reason=data["reason"],
        by_id=principal.user_id,
    )


def _try(form: forms.Form, act: Callable[[], T]) -> T | None:
    """What the act gives; None when it was refused, and the form says why."""
    try:
        return act()
    except DomainError as problem:
        field = problem.param if problem.param in form.fields else None
        form.add_error(field, str(problem.message))
        return None


def _courses_of(principal: Principal) -> list[Course]:
    return list(list_courses()) if principal.role == Role.ADMIN else list_taught_courses(principal.user_id)


def _page_of(principal: Principal) -> str:
    return "manage_requests" if principal.role == Role.ADMIN else "review_requests"


def _shown(
    request: HttpRequest,
    principal: Principal,
    *,
    form: CourseGrantForm | None = None,
    decision: tuple[int, DecisionForm] | None = None,
    limit_form: ApproverLimitForm | None = None,
) -> HttpResponseBase:
    asked = selectors.list_decidable_requests(principal)
    decided_form = decision[1] if decision else None
    first = decision[0] if decision else read_id(request.GET.get("decide", ""))  # as the list's own links name it
    waiting = [
        (
            row,
            decision[1]
            if decision and decision[0] == row.pk
            else DecisionForm(unit=Unit(row.unit), auto_id=f"id_%s_{row.pk}"),
        )
        for row in selectors.list_waiting(asked, first=first)[: WAITING + 1]
    ]
    context: dict[str, Any] = {
        "waiting": waiting[:WAITING],
        "more_wait": len(waiting) > WAITING,
        "form": form or CourseGrantForm(courses=_courses_of(principal)),
        "limits": selectors.list_approver_limits(),
        "limit_form": limit_form or ApproverLimitForm(auto_id="limit_%s"),
        "is_admin": principal.role == Role.ADMIN,
        "courses": list_taught_courses(principal.user_id),
        "shell": "manage.html" if principal.role == Role.ADMIN else "base.html",
    }
    failed = any(f is not None and f.errors for f in (form, decided_form, limit_form))
    filters = RequestFilterForm(request.GET, auto_id="filter_%s")
    found = selectors.search_requests(asked, **filters.cleaned_data) if filters.is_valid() else None
    return REQUESTS.answer(
        request,
        found,
        template="quotas/requests.html",
        form=filters,
        totals=_sums(filters, found, ("amount", "grant__amount")),
        context=context,
        status=400 if failed else 200,
        path=reverse(_page_of(principal)),
    )


def _sums(filters: forms.Form, rows: QuerySet[Any] | None, fields: Sequence[str]) -> dict[str, str] | None:
    """What the rows come to, by column; only where all of them count the same unit."""
    if rows is None or not filters.cleaned_data["counts"]:
        return None
    unit = Unit(filters.cleaned_data["counts"])
    sums = rows.order_by().aggregate(**{field: Sum(field) for field in fields})
    return {_COLUMN_OF.get(field, field): write_quantity(unit, amount or 0) for field, amount in sums.items()}


_COLUMN_OF = {"grant__amount": "granted"}
