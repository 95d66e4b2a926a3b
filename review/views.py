"""What a teacher sees of a course, and an administrator of the university: numbers and names, never texts."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.services import record
from core import clock
from core.errors import InvalidRequest
from core.text import csv_line
from courses.models import Course
from courses.selectors import access_taught_course, list_taught_courses
from quotas.forms import QuotaForm
from quotas.resolution import Rule
from quotas.types import LEDGER_UNITS
from review.forms import CourseUseForm
from review.selectors import list_days, read_course, read_stretches, same_days_before
from review.simulation import simulate
from review.types import CourseUse, Day, Stretch
from usage.selectors import count_new_alarms
from usage.types import Outcome

_DAYS_SHOWN = 30


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_GET
def courses(request: HttpRequest) -> HttpResponse:
    """The courses I teach."""
    return render(request, "review/courses.html", {"courses": list_taught_courses(_user_id(request))})


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_GET
def course(request: HttpRequest, code: str) -> HttpResponse:
    """One course: its weeks and its people."""
    shown = access_taught_course(user_id=_user_id(request), code=code)
    form = CourseUseForm(shown, request.GET)
    context = {"course": shown, "form": form, "courses": list_taught_courses(_user_id(request)), "tab": "use"}
    if not form.is_valid():
        return render(request, "review/course.html", context, status=400)
    use = read_course(shown, **form.asked())
    context |= {"use": use, "asked": form.cleaned_data, "query": request.GET.urlencode(), "now": clock.now()}
    return render(request, "review/course.html", context | _chart(use))


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_GET
def weeks_csv(request: HttpRequest, code: str) -> HttpResponse:
    """The table of weeks that is shown."""
    shown, use = _use(request, code)
    header = [_("Week from"), *use.parts, _("Prompts"), _("People")]
    lines = [[week.monday.isoformat(), *week.prompts, week.total, week.people] for week in use.weeks]
    total = [_("In all"), *use.part_totals, use.total.prompts, use.asked]
    return _csv(f"{shown.code}-weeks.csv", [header, *lines, total])


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_GET
def people_csv(request: HttpRequest, code: str) -> HttpResponse:
    """The table of people that is shown."""
    shown, use = _use(request, code)
    header = [_("Person"), _("E-mail"), _("In the course as"), *_measures()]
    lines = [[person.name, person.email, person.place, *_numbers(person.total)] for person in use.people]
    number, total = use.others
    others = [[_("Not on the roster now: %(number)s") % {"number": number}, "", "", *_numbers(total)]] if number else []
    return _csv(f"{shown.code}-people.csv", [header, *lines, *others, [_("In all"), "", "", *_numbers(use.total)]])


@never_cache
@role_required(Role.ADMIN)
@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """The university today and this month, against the days before."""
    today = clock.local_day(clock.now())
    days = list_days(today - timedelta(days=_DAYS_SHOWN - 1), today)
    yesterday = today - timedelta(days=1)
    spans = (today, today), (yesterday, yesterday), (today.replace(day=1), today), same_days_before(today)
    now, before, month, month_before = read_stretches(*spans)
    context = {
        "now": clock.now(),
        "today": _compared(now, before),
        "month": _compared(month, month_before),
        "days": days[::-1],
        "labels": [date_format(day.day, "SHORT_DAY_FORMAT") for day in days],
        "series": _by_outcome(days),
        "finding": _finding(days),
        "alarms": count_new_alarms(),
    }
    return render(request, "review/dashboard.html", context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def simulation(request: HttpRequest) -> HttpResponse:
    """What last month would have looked like under the rule in the address; alone, or as a part of the rules' page."""
    form = QuotaForm(request.GET)
    if not form.is_valid():
        raise InvalidRequest(_("The rule in the address cannot be read. Begin on the page of quotas."))
    columns = form.rule()
    drafted = Rule(**{name: value for name, value in columns.items() if name not in ("reason", "starts_at")})
    is_counted = drafted.unit in LEDGER_UNITS
    page = "review/_simulation.html" if request.htmx else "review/simulation.html"  # type: ignore[attr-defined]
    return render(request, page, {"rule": drafted, "simulation": simulate(drafted) if is_counted else None})


def _user_id(request: HttpRequest) -> int:
    return principal_of(request.user).user_id


def _use(request: HttpRequest, code: str) -> tuple[Course, CourseUse]:
    shown = access_taught_course(user_id=_user_id(request), code=code)
    form = CourseUseForm(shown, request.GET)
    record("course.export", subject=f"course/{shown.code}", name=shown.title)
    if not form.is_valid():
        field, (problem, *_more) = next(iter(form.errors.items()))
        raise InvalidRequest(str(problem), param=field)
    return shown, read_course(shown, **form.asked())


def _chart(use: CourseUse) -> dict[str, Any]:
    series = [(name, [week.prompts[n] for week in use.weeks]) for n, name in enumerate(use.parts)]
    return {
        "title": _week_finding(use),
        "labels": [date_format(week.monday, "SHORT_DAY_FORMAT") for week in use.weeks],
        "series": series,
        "weeks": use.weeks[::-1],
    }


def _week_finding(use: CourseUse) -> str:
    busiest = use.busiest
    if busiest is None:
        return _("Nothing was asked in this course on these days")
    return ngettext(
        "Most in the week of %(day)s: %(number)s prompt",
        "Most in the week of %(day)s: %(number)s prompts",
        busiest.total,
    ) % {"day": date_format(busiest.monday, "MONTH_DAY_FORMAT"), "number": busiest.total}


def _compared(now: Stretch, before: Stretch) -> dict[str, Any]:
    titles = {
        "people": _("Active people"),
        "prompts": _("Prompts"),
        "answered": _("Answered calls"),
        "refused": _("Refused calls"),
        "failed": _("Failed calls"),
        "lost": _("Lost calls"),
        "tokens": _("Tokens"),
    }
    # Nobody but us can say what became of these.
    pages = {"lost": f"{reverse('manage_calls')}?outcome={Outcome.LOST}&first_day={now.first_day}"} if now.lost else {}
    rows = [
        {"title": title, "now": getattr(now, name), "before": getattr(before, name), "page": pages.get(name)}
        for name, title in titles.items()
    ]
    return {"first_day": now.first_day, "before": before, "rows": [row | _trend(row) for row in rows]}


def _trend(row: dict[str, Any]) -> dict[str, int | None]:
    """The change in percent and its size; None where there was nothing to compare with."""
    if not row["before"]:
        return {"change": None}
    change = round(100 * (row["now"] - row["before"]) / row["before"])
    return {"change": change, "size": abs(change)}


def _by_outcome(days: list[Day]) -> list[tuple[str, list[int]]]:
    return [
        (_("answered"), [day.answered for day in days]),
        (_("refused"), [day.refused for day in days]),
        (_("failed"), [day.failed for day in days]),
        (_("lost"), [day.lost for day in days]),
    ]


def _finding(days: list[Day]) -> str:
    calls = {day.day: day.answered + day.refused + day.failed + day.lost for day in days}
    busiest = max(days, key=lambda day: calls[day.day])
    if not calls[busiest.day]:
        return _("No calls in the last 30 days")
    day = date_format(busiest.day, "MONTH_DAY_FORMAT")
    return _("Busiest day of the last 30: %(day)s, with %(number)s calls") % {"day": day, "number": calls[busiest.day]}


def _measures() -> list[str]:
    return [_("Prompts"), _("Calls"), _("Input tokens"), _("Output tokens"), _("Images")]


def _numbers(total: Any) -> list[int]:
    return [total.prompts, total.calls, total.input_tokens, total.output_tokens, total.images]


def _csv(name: str, rows: Iterable[Iterable[object]]) -> HttpResponse:
    return HttpResponse(
        "\ufeff" + "".join(map(csv_line, rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
