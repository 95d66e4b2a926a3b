"""Whatever is done to the log behind the product's back, `verify_audit` finds it and names the place (C23)."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from audit import chain
from audit.models import Entry
from audit.selectors import verify
from audit.services import note_restore, record

ENTRIES = 30
TAMPERINGS = 1000
COLUMNS = [str(field.column) for field in Entry._meta.concrete_fields if field.column != "number"]


@pytest.fixture
def log(
    db: None,
    settings: LazySettings,
    tmp_path: Path,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    """Thirty acts of an ordinary month, anchored; and a database whose owner took the triggers away."""
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(ENTRIES):
            record("person.change", subject=f"person/{number % 7}", name="Sara", changes={"role": ["student", number]})
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("alter table audit_entry disable trigger user")
        else:
            cursor.execute("drop trigger audit_entry_refuses_update")
            cursor.execute("drop trigger if exists audit_entry_refuses_delete")
    assert verify().is_sound


def _sql(statement: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def mutate(chance: Random) -> int:
    """Another value in one column of one row."""
    number, column = chance.randint(1, ENTRIES), chance.choice(COLUMNS)
    other: dict[str, str | int] = {
        "actor_id": chance.randint(1, 10**6),
        "changes": json.dumps({"role": ["student", f"admin{chance.random()}"]}),
        "at": "2020-01-01 00:00:00+00:00",
        "through": "api",
        "address": "203.0.113.9",
        "seal": f"{chance.getrandbits(256):064x}",
    }
    value = other.get(column, f"x{chance.getrandbits(32)}")
    _sql(f"update audit_entry set {column} = %s where number = %s", value, number)  # noqa: S608
    return number


def delete(chance: Random) -> int:
    number = chance.randint(1, ENTRIES)
    _sql("delete from audit_entry where number = %s", number)
    return number


def swap(chance: Random) -> int:
    """Two rows change places."""
    one, other = sorted(chance.sample(range(1, ENTRIES + 1), 2))
    for before, after in ((one, -1), (other, one), (-1, other)):
        _sql("update audit_entry set number = %s where number = %s", after, before)
    return one


def insert(chance: Random) -> int:
    """A copy of a row, with a seal of somebody who has no key, at the end or between two rows."""
    number = chance.randint(1, ENTRIES + 1)
    _sql("update audit_entry set number = -number where number >= %s", number)
    _sql("update audit_entry set number = 1 - number where number < 0")
    copied = chance.choice([n for n in range(1, ENTRIES + 2) if n != number])
    forged = Entry.objects.get(number=copied)
    forged.number, forged.reason = number, f"forged {chance.random()}"
    Entry.objects.bulk_create([forged])
    return number


def truncate(chance: Random) -> int:
    """The newest rows are gone."""
    number = chance.randint(1, ENTRIES)
    _sql("delete from audit_entry where number >= %s", number)
    return number


def restore(chance: Random) -> int:
    """An old copy of the database, in which the product went on working, with the right key."""
    number = truncate(chance)
    for _ in range(chance.randint(1, ENTRIES + 2 - number)):
        record("person.change", subject="person/1", name=f"Omar {chance.random()}")
    return number


@pytest.mark.both_databases
def test_a_thousand_random_tamperings_are_all_found(log: None) -> None:
    chance = Random(23)
    unnoticed, misplaced = [], []
    for n in range(TAMPERINGS):
        tamper = chance.choice([mutate, delete, swap, insert, truncate, restore])
        with transaction.atomic():
            first = tamper(chance)
            verdict = verify()
            transaction.set_rollback(True)
        if verdict.is_sound:
            unnoticed.append((n, tamper.__name__, first))
        # A log that was replaced is known by its newest anchor; any other place is named exactly.
        elif tamper is not restore and verdict.number != first:
            misplaced.append((n, tamper.__name__, first, verdict))
    assert unnoticed == []
    assert misplaced == []
    assert verify().is_sound


def test_a_key_of_somebody_else_proves_nothing(log: None, settings: LazySettings) -> None:
    settings.AUDIT_KEY = "guessed"
    assert verify().number == 1


def test_anchors_that_are_gone_are_missed(log: None, settings: LazySettings, tmp_path: Path) -> None:
    settings.AUDIT_ANCHORS = str(tmp_path / "elsewhere")
    assert "no anchor" in verify().problem


def test_a_backup_that_an_operator_restored_is_no_tampering_and_stays_on_record(
    log: None, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]]
) -> None:
    _sql("delete from audit_entry where number > 20")
    with django_capture_on_commit_callbacks(execute=True):
        note_restore()
    assert verify().is_sound
    assert Entry.objects.get(number=21).action == "installation.restore"
    assert {number for number, _seal in chain.read_anchors().values()} == {21}


def test_the_command_says_so_and_ends_with_code_1(log: None) -> None:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "30 entries" in out.getvalue()
    _sql("delete from audit_entry where number = 12")
    with pytest.raises(CommandError, match="Entry 12 is missing"):
        call_command("verify_audit")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "is_sound": False,
        "entries": 11,
        "anchors": 0,
        "number": 12,
        "problem": "Entry 12 is missing; the next is 13.",
    }
