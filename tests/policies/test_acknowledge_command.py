"""An operator records what a person accepted on paper; the record says so."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from policies.models import Acknowledgment
from policies.services import check_acknowledged


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("acknowledge", *arguments, stdout=out)
    return out.getvalue()


def test_every_outstanding_clause_is_recorded_on_behalf(sara: User, clauses: None) -> None:
    (given,) = json.loads(run(sara.email, "--all", "--on-behalf", "Signed on paper.", "--json"))
    check_acknowledged(user_id=sara.id)
    record = Acknowledgment.objects.get()
    assert (record.user, record.reason, record.digest) == (sara, "Signed on paper.", given["digest"])
    assert "nothing outstanding" in run(sara.email, "--all", "--on-behalf", "Again.")
    assert Acknowledgment.objects.count() == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody@example.edu", "--all", "--on-behalf", "Signed."],
        ["sara@example.edu", "--all"],
        ["sara@example.edu", "--on-behalf", "Signed."],
        ["sara@example.edu", "--all", "--on-behalf", " "],
    ],
)
def test_nothing_is_recorded_without_a_person_all_and_a_reason(sara: User, clauses: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert not Acknowledgment.objects.exists()
