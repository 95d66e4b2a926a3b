"""The administrators' page that compares a provider's bill with our records. It stands here, above usage, because only
the catalog knows what a provider calls our models."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.authentication import role_required
from accounts.types import Role
from audit.imports import MOST_SHOWN
from core import clock
from core.sheets import UnreadableSheet
from gateway.bill import LARGEST_BILL, PLAIN, Bill, read_bill
from gateway.comparing import Row, Verdict, total
from gateway.forms import BillForm
from gateway.selectors import compare_with_bill
from usage.types import Outcome

_TITLES = {
    "requests": _("Calls"),
    "input_tokens": _("Input tokens"),
    "output_tokens": _("Output tokens"),
    "images": _("Images"),
}
_TONES = {Verdict.UNKNOWN: "bad", Verdict.DIFFERS: "bad", Verdict.EXPLAINED: "warn", Verdict.AGREES: "ok"}
# In which outcome the open calls are found among the single ones.
_OPEN = {
    "lost": (_("lost"), Outcome.LOST),
    "stopped": (_("stopped"), Outcome.CLIENT_LEFT),
    "estimated": (_("estimated"), Outcome.SERVED),
    "failed": (_("failed"), Outcome.UPSTREAM_FAILED),
}


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def bill(request: HttpRequest) -> HttpResponse:
    """A form for the file; POST compares it, and keeps nothing of it."""
    form = BillForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form, "plain": ",".join(PLAIN)}
    if not form.is_valid():
        return render(request, "gateway/bill.html", context, status=400 if form.errors else 200)
    try:
        read = read_bill(form.cleaned_data["file"].read(LARGEST_BILL + 1))
    except UnreadableSheet as error:
        told = {"problems": error.problems[:MOST_SHOWN], "unshown": len(error.problems) - MOST_SHOWN}
        return render(request, "gateway/bill.html", context | told, status=400)
    provider = form.cleaned_data["provider"]
    rows = compare_with_bill(read, provider.slug)
    return render(request, "gateway/bill.html", context | _shown(read, rows) | {"provider": provider})


def _shown(read: Bill, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "bill": read,
        "titles": [_TITLES[measure] for measure in read.measures],
        "rows": [{"row": row, "tone": _TONES[row.verdict], "calls": _calls(row), "open": _open(row)} for row in rows],
        "totals": [total(rows, measure) for measure in read.measures],
        "unexplained": sum(row.must_be_looked_at for row in rows),
    }


def _open(row: Row) -> list[tuple[object, int, str]]:
    """What may explain a difference: in a word, how many, and where they are found."""
    return [
        (word, count, f"{_calls(row)}&{urlencode({'outcome': outcome})}")
        for kind, (word, outcome) in _OPEN.items()
        if (count := row.open.get(kind))
    ]


def _calls(row: Row) -> str:
    """The query of the single calls of a day: of the one or two days of our own that it touches."""
    begin = datetime.combine(row.day, time.min, UTC)
    end = begin + timedelta(days=1, microseconds=-1)
    asked = {"first_day": clock.local_day(begin), "last_day": clock.local_day(end)}
    return urlencode(asked | ({"model": row.models[0]} if len(row.models) == 1 else {}))
