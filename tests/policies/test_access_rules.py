"""Access rules say who may use what; the most specific one decides."""

import pytest

from accounts.types import Role
from core.types import Operation
from policies.errors import PolicyRefused
from policies.models import AccessRule
from policies.services import check_access


def check(role: Role = Role.STUDENT, operation: Operation = Operation.CHAT, model: str = "small") -> None:
    check_access(role=role, operation=operation, model=model)


def test_without_a_rule_everything_is_allowed(db: None) -> None:
    check()


def test_a_rule_refuses_with_its_own_sentence(db: None) -> None:
    AccessRule.objects.create(role=Role.STUDENT, model="large", note="Large is for staff.")
    with pytest.raises(PolicyRefused, match="Large is for staff"):
        check(model="large")
    check(model="small")
    check(role=Role.STAFF, model="large")


def test_a_rule_without_a_sentence_refuses_with_the_general_one(db: None) -> None:
    AccessRule.objects.create(operation=Operation.IMAGE)
    with pytest.raises(PolicyRefused, match="Nothing was charged"):
        check(operation=Operation.IMAGE)


def test_the_more_specific_rule_wins_both_ways(db: None) -> None:
    AccessRule.objects.create(is_allowed=False)
    with pytest.raises(PolicyRefused):
        check()
    AccessRule.objects.create(role=Role.STUDENT, is_allowed=True)
    check()
    AccessRule.objects.create(operation=Operation.CHAT, is_allowed=False)
    with pytest.raises(PolicyRefused):
        check()
    AccessRule.objects.create(model="small", is_allowed=True)
    check()
    AccessRule.objects.create(role=Role.STUDENT, model="small", is_allowed=False)
    with pytest.raises(PolicyRefused):
        check()
    check(role=Role.INSTRUCTOR)
