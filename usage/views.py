"""My use by model and course, who looked at it, and the administrator's view of everyone's."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from core import clock
from core.errors import InvalidRequest
from core.text import csv_line
from core.threads import hop
from usage.forms import GROUPS, UsageFilterForm
from usage.models import UsageRecord
from usage.selectors import label_keys, page_records, summarize
from usage.types import Summary, UsageFilters

PAGE = 100
CSV_CHUNK = 2000


@never_cache
@role_required()
@require_GET
def summary(request: HttpRequest) -> HttpResponse:
    """My use of the last twelve months by model, course, tool and month."""
    mine = UsageFilters(user_id=principal_of(request.user).user_id, first_day=_a_year_ago())
    tables = []
    for group, title in [(name, title) for name, title in GROUPS if name in ("model", "course", "operation", "month")]:
        totals = summarize(mine, by=(group,))
        tables.append({"title": title, "rows": _labeled(totals, label_keys(group, totals))})
    (all_of_it,) = summarize(mine)
    return render(request, "usage/summary.html", {"tables": tables, "total": all_of_it})


@role_required()
@require_GET
def who_looked(request: HttpRequest) -> HttpResponse:
    """Who opened my chats, and why. Nobody can yet: the page says so."""
    return render(request, "usage/who_looked.html")


@never_cache
@role_required(Role.ADMIN)
@require_GET
def manage_usage(request: HttpRequest) -> HttpResponse:
    """Everyone's use as one table, grouped, filtered and sorted as the address says."""
    form = UsageFilterForm(request.GET)
    if not form.is_valid():
        return render(request, "usage/manage.html", {"form": form}, status=400)
    rows, total = _table(form)
    context = {
        "form": form,
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "total": total,
        "group": dict(GROUPS)[form.group],
        "columns": _columns(form, _query(request, without=("page", "sort"))),
        "query": _query(request),
    }
    return render(request, "usage/manage.html", context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
def manage_usage_csv(request: HttpRequest) -> HttpResponse:
    """The rows of the table that is shown, all pages of it, with its totals."""
    form = _valid(request)
    rows, total = _table(form)
    header = [str(dict(GROUPS)[form.group]), *_measures()]
    lines = [[row["label"], *_numbers(row["total"])] for row in rows]
    body = "".join(map(csv_line, [header, *lines, [_("In all"), *_numbers(total)]]))
    return HttpResponse("\ufeff" + body, content_type="text/csv; charset=utf-8", headers=_attachment("usage.csv"))


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
    }
    return render(request, "usage/calls.html", context)


@never_cache
@role_required(Role.ADMIN)
@require_GET
async def manage_calls_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The calls that are shown, all pages of them, streamed: memory does not grow with their number."""
    form = await hop(_valid, request)
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


def _table(form: UsageFilterForm) -> tuple[list[dict[str, Any]], Summary]:
    """The rows of the table in its order, and their totals."""
    totals = summarize(form.filters(), by=(form.group,))
    rows = _labeled(totals, label_keys(form.group, totals))
    column = form.order.removeprefix("-")
    by_time = form.group in ("day", "week", "month")
    if column == "key":
        rows.sort(key=lambda row: row["key"] if by_time else row["label"].casefold(), reverse=form.order[0] == "-")
    else:
        rows.sort(key=lambda row: getattr(row["total"], column), reverse=form.order[0] == "-")
    return rows, summarize(form.filters())[0]


def _labeled(totals: list[Summary], labels: dict[Any, str]) -> list[dict[str, Any]]:
    return [{"key": total.key[0], "label": labels[total.key[0]], "total": total} for total in totals]


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
    form = UsageFilterForm(request.GET)
    if not form.is_valid():
        field, (problem, *_more) = next(iter(form.errors.items()))
        raise InvalidRequest(str(problem), param=field)
    return form


def _after(request: HttpRequest) -> int | None:
    after = request.GET.get("after", "")
    return int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None


def _query(request: HttpRequest, *, without: Collection[str] = ("page", "after")) -> str:
    """What stands in the address, but for the place in the list."""
    kept = request.GET.copy()
    for name in without:
        kept.pop(name, None)
    return kept.urlencode()


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _a_year_ago() -> date:
    today = clock.local_day(clock.now())
    return today.replace(year=today.year - 1, day=1)
