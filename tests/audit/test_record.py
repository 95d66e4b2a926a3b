"""An act is written down where it is done: in its transaction, by whom, from where, with what changed."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts import services as people
from accounts.models import User
from accounts.types import Role
from audit.models import Entry
from audit.selectors import list_entries, verify
from audit.services import record
from core import clock
from core.append_only import AppendOnlyError
from policies.models import Clause
from policies.services import create_version
from tests.racing import race


def test_an_act_keeps_who_what_whom_and_what_changed(client: Client, root: User, sara: User) -> None:
    client.force_login(root)
    client.post(f"/manage/people/{sara.pk}/", {"name": "Sara Chan", "role": "staff", "department": ""})
    entry = Entry.objects.get()
    assert (entry.action, entry.subject, entry.name) == ("person.change", f"person/{sara.pk}", sara.email)
    assert (entry.actor_id, entry.actor, entry.through, entry.address) == (root.pk, root.email, "page", "127.0.0.1")
    assert entry.changes == {"role": ["student", "staff"], "department_id": [sara.department_id, None]}


def test_a_program_with_a_key_is_named_by_its_person(client: Client, root: User, sara: User) -> None:
    _key, secret = people.create_api_key(user_id=root.pk, name="script")
    headers = {"Authorization": f"Bearer {secret}"}
    client.patch(f"/api/people/{sara.pk}/", {"is_active": False}, content_type="application/json", headers=headers)
    entry = list_entries(action="person.suspend").get()
    assert (entry.actor, entry.through) == (root.email, "api")


def test_what_is_undone_is_not_recorded(sara: User) -> None:
    def change_and_fail() -> None:
        with transaction.atomic():
            people.update_person(user_id=sara.pk, role=Role.STAFF)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert not Entry.objects.exists()


def test_what_changes_nothing_and_what_is_ones_own_taste_is_no_act(sara: User) -> None:
    people.update_person(user_id=sara.pk, name=sara.name)
    people.update_taste(user_id=sara.pk, language="zh-hant", theme="dark")
    assert not Entry.objects.exists()


def test_a_language_that_an_administrator_sets_is_an_act_and_ones_own_choice_is_none(
    client: Client, root: User, sara: User
) -> None:
    client.force_login(sara)
    client.post("/language/", {"language": "zh-hans"})
    assert not Entry.objects.exists()
    client.force_login(root)
    same = {"email": sara.email, "name": sara.name, "role": sara.role, "department": sara.department_id or ""}
    answer = client.post(f"/admin/accounts/user/{sara.pk}/change/", same | {"is_active": "on", "language": "zh-hant"})
    assert answer.status_code == 302
    entry = Entry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == ("person.change", f"person/{sara.pk}", root.email)
    assert entry.changes == {"language": ["zh-hans", "zh-hant"]}


def test_an_import_is_one_act(root: User) -> None:
    lines = ["email,name,role,department\n", "a@example.edu,A,student,\n", "b@example.edu,B,student,\n"]
    people.import_people(text=lines, dry_run=True)
    assert not Entry.objects.exists()
    people.import_people(text=lines)
    assert Entry.objects.get().changes == {"create": [None, 2]}


def test_a_wording_put_in_force_is_recorded_with_its_fingerprint(client: Client, root: User, clauses: None) -> None:
    client.force_login(root)
    wordings = {f"{part}_{lang}": "x" for part in ("title", "body") for lang in ("en", "zh_hant", "zh_hans")}
    draft = create_version(clause_id=Clause.objects.get().pk, wordings=wordings)
    client.post(f"/manage/clauses/versions/{draft.pk}/publish/")
    entry = list_entries(action="clause.publish").first()
    assert entry is not None and entry.actor == root.email and entry.changes["fingerprint"][1]


def test_a_change_in_djangos_admin_is_recorded(client: Client, root: User) -> None:
    client.force_login(root)
    client.post("/admin/policies/accessrule/add/", {"role": "student", "operation": "image", "model": "", "note": ""})
    assert list_entries(action="accessrule.create").get().actor == root.email


def test_an_export_is_recorded(client: Client, root: User) -> None:
    client.force_login(root)
    client.get("/manage/usage.csv", {"by": "model"})
    assert list_entries(action="usage").get().changes == {"asked": [None, "by=model"]}


@pytest.mark.both_databases
def test_an_entry_can_be_neither_changed_nor_removed(db: None) -> None:
    entry = record("test.act", subject="test")
    for change in (entry.save, entry.delete, Entry.objects.all().delete, lambda: Entry.objects.update(reason="x")):
        with pytest.raises(AppendOnlyError):
            change()
    with (
        pytest.raises(DatabaseError, match="never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("update audit_entry set reason = 'x'")


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_acts_of_the_same_moment_make_one_chain() -> None:
    race([lambda: record("test.act", subject="test") for _ in range(8)])
    assert verify().entries == 8
    assert verify().is_sound


def test_a_list_is_narrowed_by_act_room_day_and_name(sara: User) -> None:
    people.suspend_person(user_id=sara.pk, reason="lent to someone")
    record("course.create", subject="course/X")
    today = clock.local_day(clock.now())
    assert list_entries(action="person").get().reason == "lent to someone"
    assert list_entries(search="sara@").count() == 1
    assert list_entries(first_day=today, last_day=today).count() == 2
    assert not list_entries(first_day=today + timedelta(days=1)).exists()
