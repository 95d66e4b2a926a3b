"""Telling administrators what they should know: once in each window, on their pages and to who wants it by mail.

What is found is a row that can be there only once, so that several processes may look and say the same. A row is
claimed before it is mailed: a crash in between loses a mail and never doubles one.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.urls import reverse

from accounts.mailing import mail
from accounts.models import User
from accounts.types import Role
from audit.services import differences, record
from core import clock
from usage.models import Alarm, AlarmReader, Budget, UsageRecord
from usage.selectors import find_busiest_day, sum_spending
from usage.types import AlarmKind, Outcome

SHARES = ((100, AlarmKind.BUDGET_100), (80, AlarmKind.BUDGET_80))  # per cent; the highest reached is told
ODD_CALLS, ODD_TIMES = 50, 5  # calls in a day, and how many times the busiest day of the weeks before
HABIT = timedelta(weeks=4)
REFUSALS, WITHIN = 40, timedelta(hours=1)  # of one key, or of one person without a key
_HOLDERS = ("user", "key", "key__name")


@transaction.atomic
def set_budget(*, provider: str = "", amount_micro: int) -> None:
    """Be told when a month has cost so much, in all or at a provider; 0 tells nobody."""
    before = Budget.objects.select_for_update().filter(provider=provider).first()
    if amount_micro:
        Budget.objects.update_or_create(provider=provider, defaults={"amount_micro": amount_micro})
    elif before:
        before.delete()
    was = {"amount_micro": before.amount_micro if before else 0}
    changes = differences(was, {"amount_micro": amount_micro})
    if changes:
        record("budget.set", subject=f"budget/{provider}" if provider else "budget", changes=changes)


@transaction.atomic
def wish_mail(*, user_id: int, is_wanted: bool) -> None:
    """Whether an administrator is told of alarms by mail too."""
    if is_wanted:
        AlarmReader.objects.get_or_create(user_id=user_id)
    else:
        AlarmReader.objects.filter(user=user_id).delete()


@transaction.atomic
def mark_seen(*, by_id: int, alarm_ids: Sequence[int] | None = None) -> int:
    """Somebody has seen them: these, or all that are new; returns how many were new."""
    new = Alarm.objects.filter(seen_at=None)
    if alarm_ids is not None:
        new = new.filter(pk__in=alarm_ids)
    number = new.update(seen_at=clock.now(), seen_by=by_id)
    if number:
        which = "all" if alarm_ids is None else ",".join(map(str, alarm_ids))
        record("alarm.see", subject=f"alarm/{which}", changes={"seen": [None, number]})
    return number


def raise_alarm(
    kind: AlarmKind, *, subject: str = "", window: str, user_id: int | None = None, facts: Mapping[str, Any]
) -> bool:
    """Tell administrators, unless they were told of this in this window."""
    if Alarm.objects.filter(kind=kind, subject=subject, window=window).exists():
        return False
    alarm = Alarm(kind=kind, subject=subject, window=window, user_id=user_id, facts=dict(facts))
    Alarm.objects.bulk_create([alarm], ignore_conflicts=True)
    return True


def find_alarms() -> None:
    """Look at what is spent and at what was asked today; safe to do again, and by several at once."""
    _find_spending()
    _find_odd_use()
    _find_refusals()


def send_alarms() -> int:
    """Mail what was found and not mailed yet to the administrators who want it; how many mails went out."""
    readers = list(User.objects.filter(role=Role.ADMIN, is_active=True, pk__in=AlarmReader.objects.values("user")))
    waiting = Alarm.objects.filter(mailed_at=None)
    sent = 0
    for pk in list(waiting.order_by("at", "pk").values_list("pk", flat=True)):
        if waiting.filter(pk=pk).update(mailed_at=clock.now()):
            alarm = Alarm.objects.select_related("user").get(pk=pk)
            page = reverse("manage_alarms")
            sent += sum(mail(reader, "usage/mail/alarm", page, {"alarm": alarm}) for reader in readers)
    return sent


def _find_spending() -> None:
    month = clock.local_day(clock.now()).replace(day=1)
    for budget in Budget.objects.all():
        spent = sum_spending(since=month, provider=budget.provider)
        kind = next((kind for share, kind in SHARES if 100 * spent >= share * budget.amount_micro), None)
        if kind is not None:
            # Another amount is another budget: it is told anew.
            window = f"{month:%Y-%m} {budget.amount_micro}"
            facts = {"provider": budget.provider, "spent": spent, "budget": budget.amount_micro}
            raise_alarm(kind, subject=budget.provider, window=window, facts=facts)


def _find_odd_use() -> None:
    today = clock.local_day(clock.now())
    recent = UsageRecord.objects.filter(started_at__gte=clock.start_of(today)).order_by()
    many = recent.values_list("user").annotate(calls=Count("pk")).filter(calls__gte=ODD_CALLS)
    for user_id, calls in many:
        usual = find_busiest_day(user_id, since=today - HABIT)
        if calls >= ODD_TIMES * usual:
            facts = {"calls": calls, "usual": usual}
            raise_alarm(AlarmKind.ODD_USE, subject=f"person/{user_id}", window=f"{today}", user_id=user_id, facts=facts)


def _find_refusals() -> None:
    now = clock.now()
    refused = UsageRecord.objects.filter(started_at__gte=now - WITHIN, outcome=Outcome.REFUSED).order_by()
    many = refused.values(*_HOLDERS).annotate(refused=Count("pk")).filter(refused__gte=REFUSALS)
    for row in many:
        subject = f"key/{row['key']}" if row["key"] else f"person/{row['user']}"
        facts = {"refused": row["refused"], "key": row["key__name"] or ""}
        window = f"{clock.local_day(now)}"
        raise_alarm(AlarmKind.REFUSALS, subject=subject, window=window, user_id=row["user"], facts=facts)
