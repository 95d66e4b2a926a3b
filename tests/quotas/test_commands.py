"""The commands an operator and a script rely on."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from quotas.models import Allowance, Quota
from quotas.selectors import nearest_standing
from tests.quotas.conftest import principal, reserve, use


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_set_quota_holds_on_the_next_call(sara: User, omar: User) -> None:
    said = run("set_quota", "--person", "SARA@example.edu", "--limit", "3", "--reason", "pilot")
    assert said == "In force: 3 prompts per month for SARA@example.edu.\n"
    assert nearest_standing(principal(sara)).limit == 3
    assert nearest_standing(principal(omar)).limit == 20


def test_set_quota_knows_roles_units_periods_and_no_limit(db: None) -> None:
    run("set_quota", "--role", "student", "--limit", "500000", "--unit", "tokens", "--period", "week")
    run("set_quota", "--everyone", "--unmetered")
    assert set(Quota.objects.values_list("role", "limit", "unit", "period")) == {
        ("student", 500000, "tokens", "week"),
        ("", None, "prompts", "month"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--everyone"],
        ["--limit", "3"],
        ["--everyone", "--role", "student", "--limit", "3"],
        ["--everyone", "--limit", "-1"],
        ["--everyone", "--limit", "many"],
        ["--person", "nobody@example.edu", "--limit", "3"],
        ["--everyone", "--limit", "3", "--scope", "video"],
    ],
    ids=" ".join,
)
def test_set_quota_refuses_what_it_cannot_mean(db: None, words: list[str]) -> None:
    with pytest.raises(CommandError):
        run("set_quota", *words)
    assert not Quota.objects.exists()


def test_reconcile_finds_the_books_in_order(sara: User) -> None:
    use(sara)
    reserve(sara)
    assert run("reconcile") == "The counters equal the books.\n"
    assert json.loads(run("reconcile", "--json")) == []


def test_reconcile_names_the_rows_that_differ_and_fails(sara: User) -> None:
    use(sara)
    Allowance.objects.update(used=7)
    out = StringIO()
    with pytest.raises(CommandError, match="1 numbers differ"):
        call_command("reconcile", "--json", stdout=out)
    row = Allowance.objects.get()
    assert json.loads(out.getvalue()) == [{"row": f"allowance {row.pk}", "field": "used", "counter": 7, "books": 1}]
