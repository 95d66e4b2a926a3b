"""A program shows a key and is let in as its person, or is not, and always for what holds now."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.authentication import authenticate_api_key
from accounts.errors import AccountSuspended, InvalidApiKey
from accounts.keys import digest_of, is_key, new_secret
from accounts.models import ApiKey, User
from accounts.types import Principal, Role
from core import clock


def test_a_good_key_gives_its_person_as_they_are_now(sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook", course_code="COMP1117")
    assert authenticate_api_key(secret) == Principal(
        user_id=sara.id,
        role=Role.STUDENT,
        department_id=sara.department_id,
        key_id=key.id,
        course_code="COMP1117",
    )
    services.update_person(user_id=sara.id, role=Role.STAFF, department_id=None)
    principal = authenticate_api_key(secret)
    assert (principal.role, principal.department_id) == (Role.STAFF, None)


def _revoke(key: ApiKey) -> None:
    services.revoke_api_key(user_id=key.user_id, key_id=key.id)


def _expire(key: ApiKey) -> None:
    ApiKey.objects.filter(id=key.id).update(expires_at=clock.now())


def _delete(key: ApiKey) -> None:
    key.delete()


@pytest.mark.parametrize("end", [_revoke, _expire, _delete])
def test_a_key_that_ended_looks_like_one_that_never_was(sara: User, end: Callable[[ApiKey], None]) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    authenticate_api_key(secret)
    end(key)
    with CaptureQueriesContext(connection) as for_ended, pytest.raises(InvalidApiKey) as ended:
        authenticate_api_key(secret)
    with CaptureQueriesContext(connection) as for_unknown, pytest.raises(InvalidApiKey) as unknown:
        authenticate_api_key(new_secret())
    assert str(ended.value) == str(unknown.value)
    assert len(for_ended) == len(for_unknown) == 1


@pytest.mark.parametrize("raw", [None, "", "cak_", "sk-123", "cak_" + "0" * 43 + "_000000", "鑰\ud800", "x" * 100_000])
def test_anything_else_is_no_key(db: None, raw: str | None) -> None:
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(raw)


def test_a_suspended_person_is_told_so_but_only_with_a_good_key(sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    services.suspend_person(user_id=sara.id)
    with pytest.raises(AccountSuspended):
        authenticate_api_key(secret)
    services.restore_person(user_id=sara.id)
    assert authenticate_api_key(secret).key_id == key.id
    services.suspend_person(user_id=sara.id)
    services.revoke_api_key(user_id=sara.id, key_id=key.id)
    with pytest.raises(InvalidApiKey):
        authenticate_api_key(secret)


def test_an_answer_costs_one_read_and_the_last_use_is_noted_once_a_minute(
    sara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    _key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    begin = clock.now()
    monkeypatch.setattr(clock, "now", lambda: begin)
    with CaptureQueriesContext(connection) as first:
        authenticate_api_key(secret)
    with CaptureQueriesContext(connection) as second:
        authenticate_api_key(secret)
    assert (len(first), len(second)) == (2, 1)
    monkeypatch.setattr(clock, "now", lambda: begin + timedelta(minutes=1))
    authenticate_api_key(secret)
    assert ApiKey.objects.get().last_used_at == begin + timedelta(minutes=1)


def test_only_the_hash_is_kept(sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")
    stored = ApiKey.objects.values().get(id=key.id)
    assert secret not in str(stored)
    assert stored["digest"] == digest_of(secret)
    assert secret.startswith(stored["prefix"])


def test_a_scanner_tells_a_key_from_a_look_alike_without_the_database() -> None:
    secret = new_secret()
    assert is_key(secret)
    assert not is_key(secret[:-1] + ("0" if secret[-1] != "0" else "1"))
    assert not is_key(secret[:10] + ("0" if secret[10] != "0" else "1") + secret[11:])
    assert not is_key(secret + "x")
    assert not is_key("")


def test_keys_carry_256_random_bits() -> None:
    bodies = {new_secret()[4:47] for _ in range(200)}
    assert len(bodies) == 200
    assert 62**43 >= 2**256


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_many_programs_at_once_note_one_last_use_and_a_revocation_stops_all(sara: User) -> None:
    key, secret = services.create_api_key(user_id=sara.id, name="notebook")

    def call(_n: int) -> bool:
        try:
            return authenticate_api_key(secret).key_id == key.id
        except InvalidApiKey:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(40)))
        services.revoke_api_key(user_id=sara.id, key_id=key.id)
        assert not any(pool.map(call, range(40)))
