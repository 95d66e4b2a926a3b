"""What administrators should know is told once in its window: on their pages, and by mail to who wants it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.services import create_api_key
from accounts.types import Principal, Role
from audit.models import Entry
from audit.selectors import list_entries
from core import clock
from tests.usage.test_record_usage import record
from usage.models import Alarm
from usage.services import ODD_CALLS, REFUSALS, find_alarms, raise_alarm, send_alarms, set_budget, wish_mail
from usage.tasks import watch
from usage.types import AlarmKind, Outcome

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ALARMS = "/manage/alarms/"
MONEY = 1_000_000


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def told() -> list[tuple[str, str]]:
    return list(Alarm.objects.order_by("pk").values_list("kind", "subject"))


def test_a_budget_is_told_at_80_and_at_100_percent_once_a_month(sara: User) -> None:
    set_budget(amount_micro=100 * MONEY)
    record(sara, started_at=clock.now(), cost_micro=79 * MONEY)
    find_alarms()
    assert told() == []
    record(sara, started_at=clock.now(), cost_micro=1 * MONEY)
    find_alarms()
    find_alarms()
    assert told() == [("budget_80", "")]
    record(sara, started_at=clock.now(), cost_micro=30 * MONEY)
    find_alarms()
    assert told() == [("budget_80", ""), ("budget_100", "")]
    assert Alarm.objects.latest("pk").facts == {"provider": "", "spent": 110 * MONEY, "budget": 100 * MONEY}


def test_last_months_money_is_not_this_months(sara: User) -> None:
    set_budget(amount_micro=100 * MONEY)
    before = clock.start_of(clock.local_day(clock.now()).replace(day=1)) - timedelta(hours=1)
    record(sara, started_at=before, cost_micro=500 * MONEY)
    find_alarms()
    assert told() == []


def test_a_provider_has_a_budget_of_its_own_and_a_raised_one_is_told_anew(sara: User) -> None:
    set_budget(provider="harbour", amount_micro=100 * MONEY)
    record(sara, started_at=clock.now(), provider="local", cost_micro=500 * MONEY)
    find_alarms()
    assert told() == []
    record(sara, started_at=clock.now(), provider="harbour", cost_micro=100 * MONEY)
    find_alarms()
    set_budget(provider="harbour", amount_micro=120 * MONEY)
    find_alarms()
    assert told() == [("budget_100", "harbour"), ("budget_80", "harbour")]
    set_budget(provider="harbour", amount_micro=0)
    acts = Entry.objects.filter(action="budget.set").order_by("number")
    assert [act.changes["amount_micro"] for act in acts] == [
        [0, 100 * MONEY],
        [100 * MONEY, 120 * MONEY],
        [120 * MONEY, 0],
    ]


def test_use_far_above_a_persons_habit_is_told(sara: User, omar: User) -> None:
    for _ in range(ODD_CALLS // 5 + 1):
        record(omar, started_at=clock.now() - timedelta(days=2))  # who often asks much may ask much
    record(sara, started_at=clock.now() - timedelta(days=2))
    for _ in range(ODD_CALLS):
        record(sara, started_at=clock.now())
        record(omar, started_at=clock.now())
    find_alarms()
    assert told() == [("odd_use", f"person/{sara.pk}")]
    assert Alarm.objects.get().facts == {"calls": ODD_CALLS, "usual": 1}


def test_many_refusals_of_one_key_are_told_and_those_of_many_keys_are_not(sara: User, omar: User) -> None:
    key, _secret = create_api_key(user_id=sara.pk, name="laptop")
    of_key = Principal(user_id=sara.pk, role=Role.STUDENT, department_id=None, key_id=key.pk)
    for n in range(REFUSALS):
        record(sara, started_at=clock.now(), principal=of_key, outcome=Outcome.REFUSED, code="policy_refused")
        if n:
            record(omar, started_at=clock.now(), outcome=Outcome.REFUSED, code="policy_refused")
        record(omar, started_at=clock.now() - timedelta(hours=2), outcome=Outcome.REFUSED, code="policy_refused")
    find_alarms()
    assert ("refusals", f"key/{key.pk}") in told()
    assert ("refusals", f"person/{omar.pk}") not in told()
    assert Alarm.objects.get(kind=AlarmKind.REFUSALS).facts == {"refused": REFUSALS, "key": "laptop"}


def test_who_wants_it_gets_each_alarm_by_mail_once(root: User, sara: User) -> None:
    User.objects.create_user("other@example.edu", name="Another administrator", role=Role.ADMIN)
    wish_mail(user_id=root.pk, is_wanted=True)
    root.language = "zh-hant"
    root.save()
    raise_alarm(AlarmKind.PROVIDER_AWAY, subject="harbour", window="2026", facts={"provider": "harbour", "model": "m"})
    watch()
    watch()
    (sent,) = mail.outbox
    assert sent.to == [root.email]
    assert "harbour" in sent.body and "供應商" in sent.subject
    root.role = Role.STAFF
    root.save()
    raise_alarm(AlarmKind.PROVIDER_AWAY, subject="harbour", window="2027", facts={"provider": "harbour", "model": "m"})
    assert send_alarms() == 0  # no longer an administrator's business


def test_alarms_are_listed_seen_and_counted_on_the_first_page(desk: Client, root: User, sara: User) -> None:
    for n in "ab":
        facts = {"calls": 60, "usual": 2}
        raise_alarm(AlarmKind.ODD_USE, subject=n, window="2026-11-23", user_id=sara.pk, facts=facts)
    assert "2 new alarms" in desk.get("/manage/").content.decode()
    page = desk.get(f"{ALARMS}?state=new").content.decode()
    assert "Sara Chan made 60 calls today, and at most 2 on any day of the four weeks before." in page

    first = Alarm.objects.earliest("pk")
    desk.post(f"{ALARMS}seen/", {"alarm": first.pk})
    assert list(Alarm.objects.filter(seen_by=root)) == [first]
    desk.post(f"{ALARMS}seen/", {"alarm": "all"})
    assert "No alarm of this kind." in desk.get(f"{ALARMS}?state=new").content.decode()
    seen = list_entries(action="alarm.see").order_by("number")
    assert [(entry.actor, entry.subject) for entry in seen] == [
        (root.email, f"alarm/{first.pk}"),
        (root.email, "alarm/all"),
    ]
    assert desk.post(f"{ALARMS}seen/", {"alarm": "x"}).status_code == 400


def test_budgets_and_mail_are_set_on_their_page(desk: Client, sara: User) -> None:
    record(sara, started_at=clock.now(), cost_micro=7 * MONEY)
    assert desk.post(f"{ALARMS}rules/", {"provider": "", "amount": "1,000"}).status_code == 302
    desk.post(f"{ALARMS}mail/", {"wanted": "yes"})
    page = desk.get(f"{ALARMS}rules/").content.decode()
    assert "HK$1,000.00" in page and "HK$7.00" in page
    assert "You get every alarm at root@example.edu too." in page
    desk.post(f"{ALARMS}mail/", {"wanted": ""})
    assert "You do not get alarms by mail." in desk.get(f"{ALARMS}rules/").content.decode()
    assert desk.post(f"{ALARMS}rules/", {"provider": "", "amount": "much"}).status_code == 400
    assert desk.post(f"{ALARMS}rules/", {"provider": "nobody", "amount": "5"}).status_code == 400
