"""Reads about people, departments and keys."""

from collections.abc import Collection

from allauth.usersessions.models import UserSession
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import ApiKey, Department, User
from accounts.types import Principal, Role
from core.errors import NotFound
from core.text import one_line


def get_person(email: str) -> User:
    """The person with this e-mail address, in any case.

    Raises:
        NotFound: there is none.
    """
    try:
        return User.objects.select_related("department").get(email=email.strip().lower())
    except User.DoesNotExist:
        raise NotFound(_("There is no person with the e-mail %(email)s.") % {"email": email.strip()}) from None


def get_person_by_id(user_id: int) -> User:
    """The person with this id.

    Raises:
        NotFound: there is none.
    """
    person = User.objects.select_related("department").filter(id=user_id).first()
    if person is None:
        raise NotFound
    return person


def list_people(search: str = "", role: str = "", department: str = "", state: str = "") -> QuerySet[User]:
    """People whose name or e-mail contains `search`, of one role, one department (by code), active or suspended."""
    people = User.objects.select_related("department")
    if wanted := one_line(search):
        people = people.filter(Q(name__icontains=wanted) | Q(email__icontains=wanted))
    if role:
        people = people.filter(role=one_line(role))
    if department:
        people = people.filter(department__code=one_line(department))
    if state:
        people = people.filter(is_active=state == "active")
    return people


def list_visible_people(
    principal: Principal, *, search: str = "", role: str = "", department: str = ""
) -> QuerySet[User]:
    """The people this person may see: administrators everyone, anybody else only themselves."""
    people = list_people(search, role, department)
    return people if principal.role == Role.ADMIN else people.filter(id=principal.user_id)


def count_active_people() -> int:
    """How many people may use the product now."""
    return User.objects.filter(is_active=True).count()


def list_suspended(user_ids: Collection[int]) -> set[int]:
    """Those among these people who are suspended."""
    return set(User.objects.filter(pk__in=user_ids, is_active=False).values_list("pk", flat=True))


def list_departments() -> QuerySet[Department]:
    """Every department, by name."""
    return Department.objects.all()


def list_api_keys(user_id: int) -> QuerySet[ApiKey]:
    """A person's keys, newest first; revoked and expired ones too, so that their end can be read."""
    return ApiKey.objects.filter(user_id=user_id)


def count_sessions(user_id: int) -> int:
    """How many browsers a person is signed in with."""
    return UserSession.objects.filter(user_id=user_id).count()


def get_api_key(*, user_id: int, key_id: int) -> ApiKey:
    """One of this person's keys.

    Raises:
        NotFound: there is none by that id, or it belongs to another person.
    """
    key = ApiKey.objects.filter(id=key_id, user_id=user_id).first()
    if key is None:
        raise NotFound
    return key
