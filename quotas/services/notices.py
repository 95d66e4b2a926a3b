"""Telling people that a window is nearly or wholly used, and what was decided about their requests: once each.

The ledger is read from where the last run ended, a little overlapping, because rows of one moment may be committed out
of order. A row per purse and share keeps anybody from being told twice; it is claimed before its mail is sent, so that
a crash in between loses a mail and never doubles one.
"""

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.urls import reverse
from django.utils.translation import override

from accounts.mailing import mail
from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from courses.models import Enrollment
from courses.types import CourseRole
from quotas.models import LedgerEntry, Request, Warned, Watermark
from quotas.selectors import list_standings
from quotas.types import WARNED_AT, EntryKind, Period, Purse, RequestState

SHARES = (100, WARNED_AT)  # per cent of a window; the highest reached is told
_OVERLAP = 5_000  # rows
_JOB = "warnings"


@transaction.atomic
def find_warnings() -> int:
    """Write down who reached a share since the last run; how many."""
    mark, _created = Watermark.objects.select_for_update().get_or_create(job=_JOB)
    last = LedgerEntry.objects.aggregate(last=Max("id"))["last"] or 0
    moved = LedgerEntry.objects.filter(
        id__gt=mark.entry_id - _OVERLAP,
        id__lte=last,
        kind__in=(EntryKind.SETTLE, EntryKind.ADJUSTMENT),
        limit_then__gt=0,
        allowance__purse=Purse.PERIOD,
    ).annotate(whole=F("limit_then") + F("granted_after"))
    told = 0
    seen: set[int] = set()
    for share in SHARES:
        reached = moved.filter(used_after__gte=F("whole") * share / 100).values_list("allowance", flat=True).distinct()
        purses = set(reached) - seen
        seen |= purses
        already = set(Warned.objects.filter(allowance__in=purses, share__gte=share).values_list("allowance", flat=True))
        rows = [Warned(allowance_id=purse, share=share, at=clock.now()) for purse in sorted(purses - already)]
        Warned.objects.bulk_create(rows, ignore_conflicts=True)
        told += len(rows)
    Watermark.objects.filter(job=_JOB).update(entry_id=last)
    return told


def send_warnings(*, limit: int = 500) -> int:
    """Mail what was found and not mailed yet; how many mails went out. A daily window is told on the page only."""
    waiting = Warned.objects.filter(mailed_at=None).order_by("id").values_list("pk", flat=True)[:limit]
    return sum(_send_warning(pk) for pk in list(waiting))


def send_requests(*, limit: int = 500) -> int:
    """Mail new requests to who may decide them, and decisions to who asked; how many mails went out."""
    new = Request.objects.filter(state=RequestState.OPEN, deciders_told_at=None)
    decided = Request.objects.filter(state__in=(RequestState.GRANTED, RequestState.REFUSED), person_told_at=None)
    sent = 0
    for pk in list(new.order_by("id").values_list("pk", flat=True)[:limit]):
        if new.filter(pk=pk).update(deciders_told_at=clock.now()):
            asked = Request.objects.select_related("user", "course").get(pk=pk)
            sent += sum(_send_request(person, asked) for person in _deciders_of(asked))
    for pk in list(decided.order_by("id").values_list("pk", flat=True)[:limit]):
        if decided.filter(pk=pk).update(person_told_at=clock.now()):
            asked = Request.objects.select_related("user", "course", "decided_by", "grant__allowance").get(pk=pk)
            sent += mail(asked.user, "quotas/mail/decision", reverse("ask"), {"asked": asked})
    return sent


def _send_request(person: User, asked: Request) -> bool:
    page = reverse("manage_requests" if person.role == Role.ADMIN else "review_requests")
    return mail(person, "quotas/mail/request", f"{page}?decide={asked.pk}", {"asked": asked})


def _deciders_of(asked: Request) -> list[User]:
    people = User.objects.filter(is_active=True).exclude(pk=asked.user_id)
    if asked.course is None:
        return list(people.filter(role=Role.ADMIN))
    taught = Enrollment.objects.filter(course=asked.course, role=CourseRole.INSTRUCTOR)
    return list(people.filter(pk__in=taught.values("user"))) or list(people.filter(role=Role.ADMIN))


def _send_warning(pk: int) -> bool:
    if Warned.objects.filter(pk=pk, mailed_at=None).update(mailed_at=clock.now()) != 1:
        return False  # another worker has it
    told = Warned.objects.select_related("allowance__user").get(pk=pk)
    purse, user = told.allowance, told.allowance.user
    if user is None or not user.is_active or purse.period == Period.DAY:
        return False
    principal = Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id)
    with override(user.language or settings.LANGUAGE_CODE):
        standing = next((s for s in list_standings(principal) if (s.unit, s.period, s.scope) == purse.kind), None)
        if standing is None or standing.limit is None or standing.window.starts_at != purse.window_start:
            return False  # the rule is gone, or the window over: no news any more
        context = {"standing": standing, "is_used_up": not standing.left}
        return mail(user, "quotas/mail/warning", reverse("statement"), context)
