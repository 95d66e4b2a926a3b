"""Writes about people and their keys: the one door for pages, admin, API and commands."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Unpack

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt, encrypt
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.errors import LastAdministrator, TooManyKeys, UnreadablePeople
from accounts.keys import digest_of, new_secret, prefix_of
from accounts.models import ApiKey, Department, User
from accounts.people_file import PersonLine, read_people
from accounts.selectors import get_api_key, get_person_by_id
from accounts.types import ImportedPerson, PersonChanges, Role, TasteChanges
from audit.services import differences, record
from core import clock
from core.errors import NotFound, Refusal
from core.sheets import Problem
from core.text import join_sentences, one_line

MAX_ACTIVE_KEYS = 20


@transaction.atomic
def create_person(
    *, email: str, name: str, role: Role = Role.STUDENT, department_id: int | None = None, password: str | None = None
) -> User:
    """A new person. Without a password nobody can sign in until one is set by mail or by an administrator.

    Raises:
        ValidationError: by field: the e-mail is malformed or taken, the password too weak.
    """
    person = _create_person(email, name, role, department_id, password)
    _record("create", person, changes=differences({}, {"role": role, "department_id": department_id}))
    return person


def _create_person(email: str, name: str, role: Role, department_id: int | None, password: str | None) -> User:
    if password is not None:
        _check_password(password, User(email=email, name=name))
    return User.objects.create_user(email, password, name=one_line(name), role=role, department_id=department_id)


@transaction.atomic
def update_person(*, user_id: int, **changes: Unpack[PersonChanges]) -> User:
    """Change what is named and nothing else. Whoever is not active afterwards is signed out everywhere.

    Raises:
        NotFound: there is no such person.
        ValidationError: by field, when a value does not fit.
        LastAdministrator: nobody could administer afterwards.
    """
    person, changed = _change_person(user_id, changes)
    if changed:
        act = "change"
        if "is_active" in changed:
            act = "restore" if person.is_active else "suspend"
        _record(act, person, changes=changed, reason=person.suspension_reason)
    return person


@transaction.atomic
def update_taste(*, user_id: int, **changes: Unpack[TasteChanges]) -> None:
    """Keep how a person likes the pages, said by that person: no act of office, so the log says nothing.

    Raises:
        NotFound: there is no such person.
        ValidationError: by field, when a value does not fit.
    """
    _change_person(user_id, changes)


def _change_person(user_id: int, changes: PersonChanges | TasteChanges) -> tuple[User, dict[str, list[Any]]]:
    """The person afterwards, and what is different by field."""
    if changes.get("role", Role.ADMIN) != Role.ADMIN or not changes.get("is_active", True):
        _check_administered_without(user_id)
    person = _lock_person(user_id)
    before = {field: getattr(person, field) for field in changes}
    for field, value in changes.items():
        setattr(person, field, one_line(value) if isinstance(value, str) else value)
    person.email = person.email.lower()
    person.full_clean()
    person.save(update_fields=list(changes))
    if not person.is_active:
        _end_sessions(user_id)
    return person, differences(before, {field: getattr(person, field) for field in changes})


def suspend_person(*, user_id: int, reason: str = "") -> User:
    """No sign-in, no session and no key of this person works from the next request on (D18). Nothing is deleted.

    Args:
        reason: for the next administrator who looks.

    Raises:
        NotFound: there is no such person.
        LastAdministrator: nobody could administer afterwards.
    """
    return update_person(user_id=user_id, is_active=False, suspension_reason=reason)


def restore_person(*, user_id: int) -> User:
    """End a suspension. Keys that were neither revoked nor expired work again.

    Raises:
        NotFound: there is no such person.
    """
    return update_person(user_id=user_id, is_active=True, suspension_reason="")


@transaction.atomic
def set_password(*, user_id: int, password: str) -> None:
    """Set a person's password and end all their sessions.

    Raises:
        NotFound: there is no such person.
        ValidationError: the password is too weak.
    """
    person = _lock_person(user_id)
    _check_password(password, person)
    person.set_password(password)
    person.save(update_fields=["password"])
    _end_sessions(user_id)
    _record("set_password", person)


def import_people(*, text: Iterable[str], dry_run: bool = False) -> list[ImportedPerson]:
    """Create and update people from a file: all of it, or nothing when one line is wrong.

    A password is used for new people only, so that importing again never takes back one that was changed since. Nobody
    is suspended for being absent from the file.

    Args:
        text: lines of CSV; the first names the columns email,name,role,department and, if wanted, password.
        dry_run: do and undo everything, to see what would change.

    Raises:
        UnreadablePeople: with every bad line and what is wrong with it.
    """
    lines, problems = read_people(text)
    departments = dict(Department.objects.values_list("code", "id"))
    imported = []
    with transaction.atomic():
        for line in lines:
            try:
                imported.append(_import_person(line, departments))
            except ValidationError as error:
                problems += _problems(line.number, error)
            except Refusal as refusal:
                problems.append(Problem(line.number, "", str(refusal.message)))
        if problems:
            raise UnreadablePeople(sorted(problems))
        counts = Counter[str](person.action for person in imported)
        record("people.import", subject="people", changes=differences({}, counts))
        transaction.set_rollback(dry_run)
    return imported


def _import_person(line: PersonLine, departments: Mapping[str, int]) -> ImportedPerson:
    if line.department and line.department not in departments:
        known = ", ".join(sorted(departments)) or _("none yet")
        said = _("There is no department “%(code)s”; known are: %(known)s.")
        raise ValidationError({"department": said % {"code": line.department, "known": known}})
    name, department_id = one_line(line.name), departments.get(line.department)
    person = User.objects.select_related("department").filter(email=line.email).first()
    if person is None:
        _create_person(line.email, name, line.role, department_id, line.password)
        return ImportedPerson(line.number, line.email, "create", {})
    before = {
        "name": person.name,
        "role": person.role,
        "department": person.department.code if person.department else "",
    }
    after = {"name": name, "role": line.role.value, "department": line.department}
    changes = {field: (before[field], after[field]) for field in before if before[field] != after[field]}
    if changes:
        _change_person(person.id, {"name": name, "role": line.role, "department_id": department_id})
    return ImportedPerson(line.number, line.email, "update" if changes else "same", changes)


@transaction.atomic
def end_sessions(*, user_id: int) -> int:
    """Sign a person out everywhere; the number of sessions ended.

    Raises:
        NotFound: there is no such person.
    """
    person = get_person_by_id(user_id)
    ended = _end_sessions(user_id)
    _record("end_sessions", person, changes=differences({}, {"sessions": ended}))
    return ended


def _end_sessions(user_id: int) -> int:
    sessions = list(UserSession.objects.filter(user_id=user_id))
    for session in sessions:
        session.end()
    return len(sessions)


@transaction.atomic
def create_api_key(
    *, user_id: int, name: str, expires_at: datetime | None = None, course_code: str = ""
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else: show it once.

    Args:
        course_code: every call of this key counts for that course; whether the person is in it is asked per call.

    Raises:
        NotFound: there is no such person.
        ValidationError: by field: no name, or an expiry that has passed.
        TooManyKeys: the person has MAX_ACTIVE_KEYS active keys.
    """
    person = _lock_person(user_id)
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise ValidationError({"expires_at": _("This date has passed. Choose one to come, or none.")})
    active = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), user_id=user_id, revoked_at=None)
    if active.count() >= MAX_ACTIVE_KEYS:
        raise TooManyKeys
    secret = new_secret()
    key = ApiKey(
        user_id=user_id,
        name=one_line(name, longest=60),
        prefix=prefix_of(secret),
        digest=digest_of(secret),
        course_code=course_code.strip(),
        expires_at=expires_at,
    )
    key.full_clean()
    key.save()
    _record("create_key", person, changes=differences({}, {"key": key.prefix, "expires_at": expires_at}))
    return key, secret


@transaction.atomic
def revoke_api_key(*, user_id: int, key_id: int) -> ApiKey:
    """End one of the person's keys for good; again is harmless.

    Raises:
        NotFound: the person has no such key.
    """
    revoked = ApiKey.objects.filter(id=key_id, user_id=user_id, revoked_at=None).update(revoked_at=clock.now())
    key = get_api_key(user_id=user_id, key_id=key_id)
    if revoked:
        _record("revoke_key", key.user, changes=differences({}, {"key": key.prefix}))
    return key


@transaction.atomic
def revoke_api_keys(*, user_id: int) -> int:
    """End all of a person's keys for good; how many worked until now.

    Raises:
        NotFound: there is no such person.
    """
    person = get_person_by_id(user_id)
    revoked = ApiKey.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=clock.now())
    _record("revoke_keys", person, changes=differences({}, {"keys": revoked}))
    return revoked


def _record(act: str, person: User, *, changes: Mapping[str, Any] | None = None, reason: str = "") -> None:
    record(f"person.{act}", subject=f"person/{person.pk}", name=person.email, changes=changes, reason=reason)


def _lock_person(user_id: int) -> User:
    person = User.objects.select_for_update().filter(id=user_id).first()
    if person is None:
        raise NotFound
    return person


def _check_administered_without(user_id: int) -> None:
    # Locked in one order and first, so that two administrators cannot remove each other at the same moment.
    administrators = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("id")
    if [person.id for person in administrators] == [user_id]:
        raise LastAdministrator


def _check_password(password: str, person: User) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error


def _problems(line: int, error: ValidationError) -> list[Problem]:
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    return [
        Problem(line, "" if field == "__all__" else field, join_sentences(said)) for field, said in by_field.items()
    ]


def encrypt_second_factors() -> int:
    """Encrypt the secrets of every second factor again under the present key; how many factors there were."""
    factors = list(Authenticator.objects.select_for_update().all())
    for factor in factors:
        factor.data = {name: _encrypt_again(value) for name, value in factor.data.items()}
    Authenticator.objects.bulk_update(factors, ["data"])
    return len(factors)


def _encrypt_again(value: Any) -> Any:
    """A secret, or a list of them; numbers are none."""
    if isinstance(value, list):
        return [_encrypt_again(each) for each in value]
    return encrypt(decrypt(value)) if isinstance(value, str) else value
