"""My use, who looked at it, and the administrator's view of everyone's."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.services import record
from core import clock
from core.errors import InvalidRequest
from core.text import csv_line, read_id
from core.threads import hop
from usage.forms import GROUPS, MyUsageForm, UsageFilterForm
from usage.models import UsageRecord
from usage.reports import Report, make_report
from usage.selectors import list_openings_of, page_records, summarize
from usage.types import Measure, Summary, UsageFilters

FilterForm = TypeVar("FilterForm", bound=UsageFilterForm)

PAGE = 50
CSV_CHUNK = 2000
_MORE_FILTERS = ("person", "department", "course", "role", "operation", "model", "outcome", "via")


@never_cache
@role_required()
@require_GET
def summary(request: HttpRequest) -> HttpResponse:
    """My own use as a picture and a table, filtered as the address says."""
    form = _my_form(request)
    if not form.is_valid():
        return render(request, "usage/summary.html", {"form": form}, status=400)
    return render(request, "usage/summary.html", _report_context(request, form))


@never_cache
@role_required()
@require_GET
def summary_csv(request: HttpRequest) -> HttpResponse:
    """The table of my own use that is shown."""
    return _report_csv(_checked(_my_form(request)), "my-usage.csv")


@never_cache
@role_required()
@require_GET
def who_looked(request: HttpRequest) -> HttpResponse:
    """Who opened my chats, when and why (D14)."""
    openings = list_openings_of(principal_of(request.user).user_id)
    page = Paginator(openings, PAGE).get_page(request.GET.get("page"))
    return render(request, "usage/who_looked.html", {"page": page, "query": ""})


@never_cache
@role_required(Role.ADMIN)
@require_GET
def manage_usage(request: HttpRequest) -> HttpResponse:
    """Everyone's use as one picture and one table, grouped, filtered and sorted as the address says."""
    form = UsageFilterForm(request.GET)
    if not form.is_valid():
        return render(request, "usage/manage.html", {"form": form}, status=400)
    return render(request, "usage/manage.html", _report_context(request, form))


@never_cache
@role_required(Role.ADMIN)
@require_GET
def manage_usage_csv(request: HttpRequest) -> HttpResponse:
    """The rows of the table that is shown, all pages of it, with its totals."""
    form = _valid(request)
    _record_export(request, "usage")
    return _report_csv(form, "usage.csv")


@never_cache
@role_required(Role.ADMIN)
@require_GET
def manage_calls(request: HttpRequest) -> HttpResponse:
    """The single calls behind the table, the newest first."""
    form = UsageFilterForm(request.GET)
    if not form.is_valid():
        return render(request, "usage/calls.html", {"form": form}, status=400)
    records = page_records(form.filters(), after=_after(request), limit=PAGE + 1)
    context = {
        "form": form,
        "records": records[:PAGE],
        "last": records[PAGE - 1] if len(records) > PAGE else None,
        "total": summarize(form.filters())[0],
        "query": _query(request),
        "narrowed": True,
    }
    return render(request, "usage/calls.html", context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
async def manage_calls_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The calls that are shown, all pages of them, streamed: memory does not grow with their number."""
    form = await hop(_valid, request)
    await hop(_record_export, request, "calls")
    lines = _call_lines(form.filters())
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=_attachment("calls.csv"))


async def _call_lines(filters: UsageFilters) -> AsyncIterator[str]:
    header = [_("Time"), _("Person"), _("Department"), _("Role"), _("Course"), _("Door"), _("Tool"), _("AI model")]
    yield "\ufeff" + csv_line([*header, _("Provider"), _("Outcome"), _("Code"), *_measures()[1:], _("Reference")])
    after: int | None = None
    while records := await hop(page_records, filters, after=after, limit=CSV_CHUNK):
        yield "".join(csv_line(_cells(record)) for record in records)
        after = records[-1].pk


def _cells(record: UsageRecord) -> Iterable[object]:
    return (
        localtime(record.started_at).isoformat(timespec="seconds"),
        record.user.email,
        record.department.code if record.department else "",
        record.role,
        record.course.code if record.course else "",
        record.via,
        record.operation,
        record.model,
        record.provider,
        record.outcome,
        record.code,
        record.prompts,
        record.input_tokens,
        record.output_tokens,
        record.images,
        _money(record.cost_micro),
        str(record.call_id),
    )


def _my_form(request: HttpRequest) -> MyUsageForm:
    return MyUsageForm(principal_of(request.user).user_id, request.GET)


def _report_of(form: UsageFilterForm) -> Report:
    return make_report(
        form.filters(),
        group=form.group,
        measure=form.measured,
        split=form.split_group,
        order=form.cleaned_data["sort"],
        least=settings.SMALLEST_GROUP,
    )


def _report_context(request: HttpRequest, form: UsageFilterForm) -> dict[str, Any]:
    report = _report_of(form)
    return {
        "form": form,
        "report": report,
        "page": Paginator(report.rows, PAGE).get_page(request.GET.get("page")),
        "total": report.total,
        "group": dict(GROUPS)[form.group],
        "measured": form.measured.label,
        "columns": _columns(form, _query(request, without=("page", "sort"))),
        "trend": _trend(report),
        "query": _query(request),
        "spans": _spans(request),
        "least": settings.SMALLEST_GROUP,
        "now": clock.now(),
        "narrowed": any(form.cleaned_data.get(name) for name in _MORE_FILTERS),
    }


def _report_csv(form: UsageFilterForm, name: str) -> HttpResponse:
    """The table exactly as it is shown: a hidden group has its name and no numbers."""
    report = _report_of(form)
    group = str(dict(GROUPS)[form.group])
    if report.parts:
        header: list[object] = [group, *report.parts, _("In all")]
        lines: list[list[object]] = [[row.label, *row.parts, row.in_parts] for row in report.rows]
        last: list[object] = [_("In all"), *report.part_totals, report.in_parts]
    else:
        header = [group, *_measures()]
        lines = [
            [row.label, *([_few()] * len(_measures()) if row.is_hidden else _numbers(row.total))] for row in report.rows
        ]
        last = [_("In all"), *([_few()] * len(_measures()) if report.is_withheld else _numbers(report.total))]
    body = "".join(csv_line(line) for line in [header, *lines, last])
    return HttpResponse("\ufeff" + body, content_type="text/csv; charset=utf-8", headers=_attachment(name))


def _few() -> str:
    return _("fewer than %(least)s people") % {"least": settings.SMALLEST_GROUP}


def _trend(report: Report) -> list[dict[str, Any]]:
    """Each measure beside the same number of days before, with the change in percent; empty without such days."""
    if report.before is None:
        return []
    found = []
    for measure in Measure:
        now, before = getattr(report.total, measure), getattr(report.before, measure)
        change = round(100 * (now - before) / before) if before else None
        found.append({"title": measure.label, "now": now, "before": before, "change": change, "size": abs(change or 0)})
    return found


def _spans(request: HttpRequest) -> list[tuple[str, str]]:
    """Links to the spans of days people ask for most, with all else in the address kept."""
    today = clock.local_day(clock.now())
    spans = (
        (_("Last 7 days"), today - timedelta(days=6)),
        (_("Last 30 days"), today - timedelta(days=29)),
        (_("Last 12 weeks"), today - timedelta(days=83)),
        (_("This month"), today.replace(day=1)),
    )
    kept = _query(request, without=("page", "after", "first_day", "last_day"))
    return [(title, f"?{kept}&first_day={first:%Y-%m-%d}&last_day={today:%Y-%m-%d}") for title, first in spans]


def _columns(form: UsageFilterForm, query: str) -> list[dict[str, str]]:
    """The heads of the table: each sorts by its column, the larger first, and the other way when chosen again."""
    fields = ("key", "calls", "prompts", "input_tokens", "output_tokens", "images", "cost_micro")
    titles = [str(dict(GROUPS)[form.group]), *_measures()]
    return [
        {
            "title": title,
            "href": f"?{query}&sort={field if form.order == f'-{field}' else f'-{field}'}",
            "sorted": {f"-{field}": "descending", field: "ascending"}.get(form.order, ""),
        }
        for field, title in zip(fields, titles, strict=True)
    ]


def _measures() -> list[str]:
    return [_("Calls"), _("Prompts"), _("Input tokens"), _("Output tokens"), _("Images"), _("Cost")]


def _numbers(total: Summary) -> list[object]:
    cost = _money(total.cost_micro)
    return [total.calls, total.prompts, total.input_tokens, total.output_tokens, total.images, cost]


def _money(micro: int) -> str:
    return f"{micro / 1_000_000:.6f}"


def _valid(request: HttpRequest) -> UsageFilterForm:
    return _checked(UsageFilterForm(request.GET))


def _checked(form: FilterForm) -> FilterForm:
    if not form.is_valid():
        field, (problem, *_more) = next(iter(form.errors.items()))
        raise InvalidRequest(str(problem), param=field)
    return form


def _record_export(request: HttpRequest, what: str) -> None:
    record("usage.export", subject=what, changes={"asked": [None, request.GET.urlencode()]})


def _after(request: HttpRequest) -> int | None:
    return read_id(request.GET.get("after", ""))


def _query(request: HttpRequest, *, without: Collection[str] = ("page", "after")) -> str:
    """What stands in the address, but for the place in the list."""
    kept = request.GET.copy()
    for name in without:
        kept.pop(name, None)
    return kept.urlencode()


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
