"""Pages of use by mail: the numbers a page would show to the same person now, for the week or month that is over."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import override

from accounts.mailing import mail
from accounts.types import Role
from core import clock
from courses.models import Course
from courses.selectors import list_taught_courses
from review.forms import CourseUseForm
from review.selectors import read_course
from usage.forms import GROUPS, UsageFilterForm
from usage.models import Subscription
from usage.reports import make_report
from usage.selectors import list_due
from usage.services import claim
from usage.types import Every

LINES = 20  # of a table in a mail; the page has them all
_NOT_FILTERS = ("first_day", "last_day", "page", "after", "before", "format", "csrfmiddlewaretoken")
_DAY = timedelta(days=1)


def span_before(every: Every, today: date) -> tuple[date, date]:
    """The last week, from Monday to Sunday, or the last month that is over."""
    if every == Every.WEEK:
        monday = today - today.weekday() * _DAY
        return monday - 7 * _DAY, monday - _DAY
    first = today.replace(day=1)
    return (first - _DAY).replace(day=1), first - _DAY


def filters_of(query: str) -> str:
    """What stands in the address of a page, but for its days and the place in its list."""
    kept = QueryDict(query[:1000], mutable=True)
    for name in _NOT_FILTERS:
        kept.pop(name, None)
    return kept.urlencode()


def send_reports() -> int:
    """Send what is due and not sent; how many mails went out. Safe to do again, and by several at once."""
    today = clock.local_day(clock.now())
    sent = 0
    for every in Every:
        first, last = span_before(every, today)
        for subscription in list_due(every, last):
            if claim(subscription.pk, until=last):
                sent += _send(subscription, first, last)
    return sent


def address_of(course: Course | None, query: str) -> str:
    """The page that somebody gets by mail."""
    page = reverse("review_course", args=[course.code]) if course else reverse("manage_usage")
    return f"{page}?{query}" if query else page


def _send(subscription: Subscription, first: date, last: date) -> bool:
    person, course = subscription.user, subscription.course
    if not person.is_active:
        return False
    if course is None and person.role != Role.ADMIN:
        return False
    if course is not None and course not in list_taught_courses(person.pk):
        return False
    asked = QueryDict(subscription.query, mutable=True)
    asked["first_day"], asked["last_day"] = first.isoformat(), last.isoformat()
    with override(person.language or settings.LANGUAGE_CODE):
        numbers = _of_course(course, asked) if course else _of_everyone(asked)
    if numbers is None:
        return False  # a filter names what is gone
    end = reverse("report", args=[subscription.token])
    context = {
        **numbers,
        "course": course,
        "first": first,
        "last": last,
        "least": settings.SMALLEST_GROUP,
        "end": f"{settings.SITE_URL}{end}" if settings.SITE_URL else "",
    }
    return mail(person, "review/mail/report", address_of(course, asked.urlencode()), context)


def _of_everyone(asked: QueryDict) -> Mapping[str, Any] | None:
    form = UsageFilterForm(asked)
    if not form.is_valid():
        return None
    report = make_report(
        form.filters(),
        group=form.group,
        measure=form.measured,
        order=form.cleaned_data["sort"],
        least=settings.SMALLEST_GROUP,
    )
    return {
        "is_withheld": report.is_withheld,
        "total": report.total,
        "group": str(dict(GROUPS)[form.group]),
        "rows": [(row.label, None if row.is_hidden else row.total.prompts) for row in report.rows[:LINES]],
        "more": max(0, len(report.rows) - LINES),
    }


def _of_course(course: Course, asked: QueryDict) -> Mapping[str, Any] | None:
    form = CourseUseForm(course, asked)
    if not form.is_valid():
        return None
    use = read_course(course, **form.asked())
    return {
        "is_withheld": False,
        "total": use.total,
        "people": use.asked,
        "group": str(dict(form.fields["by"].choices)[form.asked()["split"]]),  # type: ignore[attr-defined]
        "rows": list(zip(use.parts, use.part_totals, strict=True)),
        "more": 0,
    }
