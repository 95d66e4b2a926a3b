"""People are made, changed, suspended and restored through one door."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts import selectors, services
from accounts.errors import LastAdministrator, TooManyKeys
from accounts.models import ApiKey, Department, User
from accounts.types import Role
from core import clock
from core.errors import NotFound
from tests.conftest import PASSWORD


def test_a_new_person_signs_in_with_an_address_in_any_case(engineering: Department) -> None:
    made = services.create_person(
        email="New.Person@Example.edu", name="New Person", department_id=engineering.id, password=PASSWORD
    )
    assert made.email == "new.person@example.edu"
    assert selectors.get_person(" NEW.person@example.EDU ") == made
    assert made.check_password(PASSWORD)


def test_without_a_password_none_works(db: None) -> None:
    assert not services.create_person(email="x@example.edu", name="X").has_usable_password()


@pytest.mark.parametrize(
    ("email", "name", "password", "field"),
    [
        ("not an address", "X", None, "email"),
        ("sara@example.edu", "X", None, "email"),
        ("SARA@example.edu", "X", None, "email"),
        ("x@example.edu", "", None, "name"),
        ("x@example.edu", "X" * 121, None, "name"),
        ("x@example.edu", "X", "short", "password"),
        ("x@example.edu", "X", "passwordpassword", None),
    ],
)
def test_what_does_not_fit_is_refused_by_field(
    sara: User, email: str, name: str, password: str | None, field: str | None
) -> None:
    if field is None:
        services.create_person(email=email, name=name, password=password)
        return
    with pytest.raises(ValidationError) as refused:
        services.create_person(email=email, name=name, password=password)
    assert field in refused.value.message_dict
    assert User.objects.count() == 1


def test_update_changes_what_is_named_and_nothing_else(sara: User) -> None:
    services.update_person(user_id=sara.id, name="Sara Chan Siu-man")
    after = selectors.get_person(sara.email)
    assert (after.name, after.role, after.department) == ("Sara Chan Siu-man", Role.STUDENT, sara.department)
    with pytest.raises(NotFound):
        services.update_person(user_id=0, name="Nobody")
    with pytest.raises(ValidationError):
        services.update_person(user_id=sara.id, role="emperor")  # type: ignore[arg-type]


def test_the_last_administrator_stays(root: User, sara: User) -> None:
    with pytest.raises(LastAdministrator):
        services.suspend_person(user_id=root.id)
    with pytest.raises(LastAdministrator):
        services.update_person(user_id=root.id, role=Role.STAFF)
    services.update_person(user_id=sara.id, role=Role.ADMIN)
    services.suspend_person(user_id=root.id)
    assert not User.objects.get(id=root.id).is_active


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_remove_each_other_at_the_same_moment(root: User) -> None:
    other = User.objects.create_user("second@example.edu", PASSWORD, name="Second", role=Role.ADMIN)
    start = Barrier(2)

    def suspend(user_id: int) -> bool:
        try:
            start.wait(10)
            services.suspend_person(user_id=user_id)
        except LastAdministrator:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(suspend, [root.id, other.id])) == [False, True]
    assert User.objects.filter(role=Role.ADMIN, is_active=True).count() == 1


def test_people_are_found_by_part_of_a_name_role_and_department(sara: User, omar: User, ines: User, root: User) -> None:
    assert list(selectors.list_people(search="CHAN")) == [sara]
    assert list(selectors.list_people(search="omar@")) == [omar]
    assert list(selectors.list_people(role=Role.INSTRUCTOR)) == [ines]
    assert set(selectors.list_people(department="eng")) == {sara, omar, ines}
    with pytest.raises(NotFound):
        selectors.get_person("nobody@example.edu")


def test_a_key_needs_a_name_and_a_day_to_come(sara: User) -> None:
    with pytest.raises(ValidationError) as nameless:
        services.create_api_key(user_id=sara.id, name=" \n ")
    assert "name" in nameless.value.message_dict
    with pytest.raises(ValidationError) as past:
        services.create_api_key(user_id=sara.id, name="x", expires_at=clock.now() - timedelta(seconds=1))
    assert "expires_at" in past.value.message_dict
    with pytest.raises(NotFound):
        services.create_api_key(user_id=0, name="x")
    assert not ApiKey.objects.exists()


def test_keys_are_few_and_revoking_makes_room(sara: User) -> None:
    keys = [services.create_api_key(user_id=sara.id, name=f"key {n}")[0] for n in range(services.MAX_ACTIVE_KEYS)]
    with pytest.raises(TooManyKeys):
        services.create_api_key(user_id=sara.id, name="one more")
    services.revoke_api_key(user_id=sara.id, key_id=keys[0].id)
    services.create_api_key(user_id=sara.id, name="one more")


def test_nobody_revokes_the_key_of_another(sara: User, omar: User) -> None:
    key, _secret = services.create_api_key(user_id=sara.id, name="notebook")
    with pytest.raises(NotFound):
        services.revoke_api_key(user_id=omar.id, key_id=key.id)
    assert ApiKey.objects.get().revoked_at is None
    first = services.revoke_api_key(user_id=sara.id, key_id=key.id).revoked_at
    assert services.revoke_api_key(user_id=sara.id, key_id=key.id).revoked_at == first


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_many_tabs_at_once_make_no_more_keys_than_one_may_have(sara: User) -> None:
    for n in range(services.MAX_ACTIVE_KEYS - 2):
        services.create_api_key(user_id=sara.id, name=f"key {n}")
    start = Barrier(6)

    def create(_n: int) -> bool:
        try:
            start.wait(10)
            services.create_api_key(user_id=sara.id, name="one more")
        except TooManyKeys:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create, range(6))) == 2
    assert ApiKey.objects.count() == services.MAX_ACTIVE_KEYS
