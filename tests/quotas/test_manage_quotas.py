"""The administrator's page of rules: shown first, then in force."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from accounts.models import User
from accounts.types import Role
from quotas import services
from quotas.models import Quota
from quotas.selectors import count_reached, list_changes, nearest_standing
from quotas.types import Period, Unit
from tests.quotas.conftest import Travel, principal

PAGE = "/manage/quotas/"
RULE = {"role": "student", "limit": "30", "unit": "prompts", "period": "month", "reason": "Exam period"}


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def test_a_rule_is_shown_with_its_reach_and_holds_once_confirmed(admin: Client, sara: User, omar: User) -> None:
    services.set_quota(limit=5, user_id=omar.pk)
    html = admin.post(PAGE, RULE).content.decode()
    assert "1 person" in html
    assert "30 prompts per month" in html
    assert nearest_standing(principal(sara)).limit == 20
    response = admin.post(PAGE, RULE | {"confirm": "1"}, follow=True)
    assert "is in force from the next call on" in response.content.decode()
    assert nearest_standing(principal(sara)).limit == 30
    assert nearest_standing(principal(omar)).limit == 5


def test_one_persons_own_rule_is_set_and_withdrawn(admin: Client, sara: User, root: User) -> None:
    admin.post(PAGE, RULE | {"role": "", "person": "sara@example.edu", "limit": "100", "confirm": "1"})
    rule = Quota.objects.get()
    assert (rule.user, rule.limit, rule.created_by, rule.reason) == (sara, 100, root, "Exam period")
    assert "sara@example.edu" in admin.get(PAGE + "?search=sara").content.decode()
    admin.post(f"{PAGE}{rule.pk}/withdraw/", {"reason": "Project over"})
    assert nearest_standing(principal(sara)).limit == 20
    assert "Project over" in admin.get(PAGE).content.decode()


def test_no_limit_is_a_rule_too(admin: Client, ines: User) -> None:
    admin.post(PAGE, RULE | {"role": "instructor", "limit": "", "unmetered": "on", "confirm": "1"})
    assert nearest_standing(principal(ines)).limit is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"limit": ""}, "Write how much"),
        ({"limit": "-1"}, "whole number"),
        ({"limit": "many"}, "whole number"),
        ({"limit": "9" * 20}, "whole number"),
        ({"limit": "9" * 40}, "at most 24"),
        ({"limit": "2.5"}, "whole number"),
        ({"limit": "NaN"}, "whole number"),
        ({"limit": "1e3"}, "whole number"),
        ({"limit": "٢٠"}, "whole number"),
        ({"limit": "1.2345678", "unit": "money"}, "such as 7.80"),
        ({"starts_on": "2001-01-01"}, "a day to come"),
        ({"starts_on": "2026-11-31"}, "valid date"),
        ({"course": "NOPE1"}, "There is no course NOPE1"),
        ({"model": "a*b"}, "neither a tool nor"),
        ({"unmetered": "on"}, "contradict each other"),
        ({"reason": ""}, "required"),
        ({"reason": "x" * 241}, "at most 240"),
        ({"unit": "gold"}, "Select a valid choice"),
        ({"role": "king"}, "Select a valid choice"),
        ({"person": "nobody@example.edu", "role": ""}, "Nobody has this e-mail address"),
        ({"person": "sara@example.edu"}, "names neither a role nor a department"),
        ({"department": "999"}, "Select a valid choice"),
        ({"operation": "chat", "model": "big"}, "not both"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_changes(
    admin: Client, sara: User, change: dict[str, str], sentence: str
) -> None:
    response = admin.post(PAGE, RULE | {"confirm": "1"} | change)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert not Quota.objects.exists()


def test_a_withdrawal_needs_a_reason_and_a_rule_in_force(admin: Client, sara: User) -> None:
    rule = services.set_quota(limit=3, user_id=sara.pk)
    assert admin.post(f"{PAGE}{rule.pk}/withdraw/", {"reason": " "}).status_code == 400
    assert admin.post(f"{PAGE}999/withdraw/", {"reason": "x"}).status_code == 404
    assert nearest_standing(principal(sara)).limit == 3


@pytest.mark.parametrize("person", ["sara", "ines"])
def test_the_page_is_for_administrators_only(client: Client, person: str, request: pytest.FixtureRequest) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, RULE | {"confirm": "1"}).status_code == 403
    assert client.post(f"{PAGE}1/withdraw/", {"reason": "x"}).status_code == 403
    assert not Quota.objects.exists()


def test_reach_counts_who_has_no_more_specific_rule(sara: User, omar: User, ines: User, root: User) -> None:
    kind = (Unit.PROMPTS, Period.MONTH, "")
    services.set_quota(limit=5, user_id=omar.pk)
    services.set_quota(limit=9, role=Role.INSTRUCTOR)
    assert count_reached(kind=kind) == (2, 2)
    assert count_reached(kind=kind, role=Role.STUDENT) == (1, 1)
    assert count_reached(kind=kind, department_id=sara.department_id) == (2, 1)
    assert count_reached(kind=kind, user_id=omar.pk) == (1, 0)
    assert count_reached(kind=(Unit.TOKENS, Period.MONTH, "")) == (4, 0)


def test_the_history_tells_what_became_of_every_rule(root: User) -> None:
    services.set_quota(limit=15, role=Role.STUDENT, by_id=root.pk, reason="Pilot")
    rule = services.set_quota(limit=20, role=Role.STUDENT, by_id=root.pk, reason="New year")
    services.withdraw_quota(quota_id=rule.pk, by_id=root.pk, reason="Over")
    told = [
        (change.before and change.before.limit, change.after and change.after.limit, change.reason, change.by)
        for change in list_changes()
    ]
    assert told == [(20, None, "Over", root), (15, 20, "New year", root), (None, 15, "Pilot", root)]


def test_a_change_is_scheduled_seen_and_withdrawn(admin: Client, sara: User, travel: Travel) -> None:
    travel(datetime(2026, 8, 20, 4, tzinfo=UTC))
    admin.post(PAGE, RULE | {"confirm": "1"})
    schedule = RULE | {"limit": "7.80", "unit": "money", "starts_on": "2026-09-01", "reason": "Senate"}
    assert "Schedule for 1 September 2026" in admin.post(PAGE, schedule).content.decode()
    html = admin.post(PAGE, schedule | {"confirm": "1"}, follow=True).content.decode()
    assert "holds from 1 September 2026" in html
    assert "to come</span>" in html
    rule = Quota.objects.get(unit=Unit.MONEY)
    assert (rule.limit, rule.starts_at) == (7_800_000, datetime(2026, 8, 31, 16, tzinfo=UTC))
    assert "HK$7.80 per month" in html
    admin.post(f"{PAGE}{rule.pk}/withdraw/", {"reason": "Not yet"})
    html = admin.get(PAGE).content.decode()
    assert "to come</span>" not in html
    assert "Not yet" in html


def test_undo_puts_back_what_held_before(admin: Client, sara: User) -> None:
    admin.post(PAGE, RULE | {"confirm": "1"})
    admin.post(PAGE, RULE | {"limit": "50", "confirm": "1"})
    assert nearest_standing(principal(sara)).limit == 50
    rule = Quota.objects.get(ends_at=None)
    admin.post(f"{PAGE}{rule.pk}/undo/")
    assert nearest_standing(principal(sara)).limit == 30
    assert admin.post(f"{PAGE}{rule.pk}/undo/").status_code == 404
    assert [change.reason for change in list_changes()] == ["Undone.", "Exam period", "Exam period"]
