"""What I get by mail: subscribing to a page of use, the list of it, and the page that ends one."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from core import clock
from core.errors import InvalidRequest, NotFound, Refusal
from courses.selectors import access_taught_course
from review.forms import SubscribeForm
from review.reporting import address_of, filters_of, span_before
from usage.selectors import find_subscription, list_subscriptions
from usage.services import subscribe, unsubscribe
from usage.types import Every


@never_cache
@role_required(Role.INSTRUCTOR, Role.ADMIN)
@require_http_methods(["GET", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    """What I get by mail; POST adds a page with its filters."""
    reader = principal_of(request.user)
    if request.method == "POST":
        form = SubscribeForm(request.POST)
        if not form.is_valid():
            raise InvalidRequest(_("Say how often, and of which page."), param="every")
        asked = form.cleaned_data
        if not asked["course"] and reader.role != Role.ADMIN:
            raise Refusal(
                _("This page is for another role. Nothing was changed. If it should be yours, ask an administrator.")
            )
        course = access_taught_course(user_id=reader.user_id, code=asked["course"]) if asked["course"] else None
        _first, last = span_before(Every(asked["every"]), clock.local_day(clock.now()))
        subscribe(
            user_id=reader.user_id,
            course_id=course.pk if course else None,
            query=filters_of(asked["query"]),
            every=asked["every"],
            told_until=last,
        )
        messages.success(request, _("The first mail comes when this week or month is over."))
        return redirect("reports")
    mine = [(one, address_of(one.course, one.query)) for one in list_subscriptions(reader.user_id)]
    return render(request, "review/reports.html", {"mine": mine})


@never_cache
@require_http_methods(["GET", "POST"])
def report(request: HttpRequest, token: UUID) -> HttpResponse:
    """Where a mail's last line leads: one press ends it, signed in or not. Merely opening it changes nothing."""
    found = find_subscription(token)
    if request.method == "POST":
        unsubscribe(token)
        return render(request, "review/report.html", {"subscription": None})
    if found is None:
        raise NotFound
    return render(request, "review/report.html", {"subscription": found})
